"""Which runs a comparison counts, and how it groups and names them."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.comparison import compare_runs
from pg_experiments.comparison.excluded import not_counted
from pg_experiments.comparison.records import find_runs, read_run
from pg_experiments.support.errors import UserError
from tests.comparisons import compared, curve, grouped, labels, level


def test_runs_are_found_at_any_depth_in_the_order_of_their_numbers(tmp_path):
    for name in ("10_seed=10", "9_seed=9", "deep/er/2_seed=2"):
        write_run(tmp_path / name, [], level(50))
    shutil.copytree(tmp_path / "9_seed=9", tmp_path / "9_seed=9" / "copy")
    assert [run.path.name for run in find_runs([tmp_path])] == ["9_seed=9", "10_seed=10", "2_seed=2"]
    twice = find_runs([tmp_path, tmp_path / "9_seed=9"])
    assert len(twice) == 3, "a run in two of the directories is one run"


def test_runs_that_differ_in_their_seed_alone_are_one_group(tmp_path):
    write_run(tmp_path / "0", [], {0: curve(50)})
    write_run(tmp_path / "1", ["tracking.histograms_every=0"], {1: curve(50), 2: curve(60)})
    (only,) = grouped(tmp_path).groups
    assert only.label == "the one configuration"
    assert sum(map(len, only.strata.values())) == 3


def test_a_group_is_named_after_the_keys_that_differ_and_not_after_what_follows_from_a_choice(tmp_path):
    write_run(tmp_path / "0", ["baseline=none", "policy.hidden=8"], level(50))
    write_run(tmp_path / "1", ["baseline=value", "policy.hidden=8"], level(50))
    assert labels(grouped(tmp_path)) == ["none", "value"], "what all names share is cut"
    write_run(tmp_path / "2", ["baseline=value", "policy.hidden=8", "baseline.hidden=7"], level(50))
    assert labels(grouped(tmp_path)) == [
        "baseline=none",
        "baseline=value, hidden=128",
        "baseline=value, hidden=7",
    ]


def test_values_tuned_for_an_environment_follow_from_it_but_what_somebody_named_is_shown(tmp_path):
    write_run(tmp_path / "0", ["env=cartpole"], level(50))
    write_run(tmp_path / "1", ["env=pong"], level(50))
    assert labels(grouped(tmp_path)) == ["cartpole", "pong"]
    write_run(tmp_path / "2", ["env=pong", "policy=linear"], level(50))
    assert labels(grouped(tmp_path))[2] == "env=pong, policy=linear", "the width follows from both together"
    for folder, width in (("2", 16), ("3", 64)):
        write_run(
            tmp_path / "named" / folder,
            [f"baseline={'mean' if width > 16 else 'none'}", f"policy.hidden={width}"],
            level(50),
        )
    assert labels(grouped(tmp_path / "named")) == [
        "baseline=none, hidden=16",
        "baseline=mean, hidden=64",
    ]


def test_without_hydras_own_record_a_group_has_the_name_of_its_class(tmp_path):
    for name in ("cartpole", "acrobot"):
        run = write_run(tmp_path / name, [f"env={name}"], level(50))
        (run / ".hydra" / "hydra.yaml").unlink()
    (first, second) = labels(grouped(tmp_path))
    assert first.startswith("id=Acrobot-v1")
    assert "env=" not in second


def test_by_a_key_the_other_settings_are_strata(tmp_path):
    for width in (8, 16):
        for baseline in ("none", "value"):
            write_run(tmp_path / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], level(50))
    by = grouped(tmp_path, "policy.hidden")
    assert sorted(labels(by)) == ["16", "8"]
    assert set(by.groups[0].strata) == {"baseline=none", "baseline=value"}
    assert sorted(labels(grouped(tmp_path, "baseline.hidden"))) == ["(none)", "128"]
    with pytest.raises(UserError, match=r"by=policy\.hiden: no run has this key; the nearest are policy\.hidden"):
        grouped(tmp_path, "policy.hiden")


def test_a_setting_that_helps_in_one_stratum_and_harms_in_the_other_improves_nothing(tmp_path):
    levels = {(8, "none"): 100, (16, "none"): 200, (8, "value"): 400, (16, "value"): 300}
    for (width, baseline), value in levels.items():
        write_run(tmp_path / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], level(value))
    (pair,) = compared(tmp_path, by="policy.hidden").pairs
    assert pair.lead.probability.value == 0.5
    assert pair.lead.verdict == "not distinguishable"


def test_strata_that_only_one_group_has_do_not_decide_what_is_better(tmp_path):
    for width, baseline, value in ((8, "none", 100), (16, "none", 100), (16, "value", 500)):
        write_run(tmp_path / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], level(value))
    for reference in ("policy.hidden=8", "policy.hidden=16"):
        summary = compared(tmp_path, by="policy.hidden", reference=reference)
        assert summary.pairs[0].seeds == (5, 5)
        assert summary.pairs[0].lead.verdict == "not distinguishable"
    (warning,) = compare_runs([tmp_path], by="policy.hidden").warnings
    assert warning.startswith("Not every value of policy.hidden was run with the same other settings.")


def test_the_same_configuration_and_seed_counts_once_and_a_done_run_is_the_one(tmp_path):
    write_run(tmp_path / "0", [], {0: curve(50)}, status="failed", error="RuntimeError: gone")
    write_run(tmp_path / "1", [], {0: curve(60), 1: curve(70)})
    write_run(tmp_path / "2", [], {0: curve(80)})
    write_run(tmp_path / "3", [], {1: curve(80), 2: curve(90)})
    summary = compared(tmp_path)
    (row,) = summary.rows
    assert row.seeds == 3
    assert row.finals["mean_return"].value == pytest.approx((60 + 70 + 90) / 3)
    reasons = {run.path.name: why for run, why in not_counted(summary.grouping, summary.outcomes)}
    assert reasons["0"] == "failed: RuntimeError: gone"
    assert reasons["2"].startswith("the same configuration and seed as")
    found = compare_runs([tmp_path])
    assert "Of 2 runs the configuration and a seed were run before; the first run counts." in found.warnings
    assert "2 runs not counted; the reasons are listed below." in found.warnings


def test_every_run_that_does_not_count_is_listed_with_its_reason(tmp_path):
    write_run(tmp_path / "0_good", [], level(50))
    write_run(tmp_path / "1_failed", [], level(50), status="failed", error="ValueError: a\n  b")
    write_run(tmp_path / "2_running", [], level(50), status="running")
    write_run(tmp_path / "3_interrupted", [], level(50), status="interrupted")
    (write_run(tmp_path / "4_begun", [], level(50)) / "result.json").write_text("")
    (write_run(tmp_path / "5_torn", [], level(50)) / "result.json").write_text('{"status": "do')
    (write_run(tmp_path / "6_no_metrics", [], level(50)) / "metrics.csv").unlink()
    (write_run(tmp_path / "7_no_config", [], level(50)) / ".hydra" / "config.yaml").unlink()
    (write_run(tmp_path / "8_odd", [], level(50)) / "result.json").write_text("[]")
    write_run(tmp_path / "9_other", [], level(50), status="paused")
    write_run(tmp_path / "91_no_return", ["policy.hidden=3"], {0: [{"env_steps": 5, "episodes": 0}]})
    summary = compared(tmp_path)
    assert [row.seeds for row in summary.rows] == [5]
    reasons = {run.path.name[:4]: why for run, why in not_counted(summary.grouping, summary.outcomes)}
    assert reasons["1_fa"] == "failed: ValueError: a b"
    assert reasons["2_ru"] == "running, or killed: the last that it wrote is of update 2"
    assert reasons["3_in"] == "interrupted after 2 updates"
    assert reasons["4_be"] == "has only begun"
    for torn in ("5_to", "6_no", "7_no", "8_od"):
        assert reasons[torn].startswith("cannot be read: ")
    assert reasons["9_ot"] == "has an unknown status: paused"
    assert reasons["91_n"] == "seed 0 has no value of mean_return"
    assert len(reasons) == 10


def test_a_strangers_config_is_data_and_runs_nothing(tmp_path):
    run = write_run(tmp_path / "0", [], level(50))
    for name in ("config", "overrides"):
        (run / ".hydra" / f"{name}.yaml").write_text(f"a: !!python/object/apply:os.mkdir [{tmp_path / 'executed'}]\n")
        read = read_run(run, ["mean_return"])
        assert read.problem is not None
        assert "could not determine a constructor" in read.problem
    assert not (tmp_path / "executed").exists()
    run = write_run(tmp_path / "1", [], level(50))
    (run / ".hydra" / "config.yaml").write_text('a: ${oc.env:HOME}\nb: "\\e[31m"\n')
    settings = {"a": "${oc.env:HOME}", "b": "�[31m", "diagnostics.name": "none"}  # the group that older runs lack
    assert read_run(run, ["mean_return"]).settings == settings
