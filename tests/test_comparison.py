"""What a comparison makes of runs: what counts of each seed, and what is said of them."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.comparison import compare_runs
from pg_experiments.comparison.excluded import failed, not_counted
from pg_experiments.comparison.grouping import find_reference
from pg_experiments.comparison.origin import commands
from pg_experiments.comparison.wording import with_interval
from pg_experiments.support.errors import UserError
from tests.comparisons import compared, curve, grouped, level


def test_a_final_value_is_the_last_that_there_is(tmp_path):
    """Where no episode ended in an update, the cell of its return is empty."""
    rows = [dict(row) for row in curve(10, 20, 30)]
    del rows[2]["mean_return"]
    write_run(tmp_path / "0", [], {0: rows})
    assert compared(tmp_path).rows[0].finals["mean_return"].value == 20


def test_a_seed_that_was_solved_keeps_its_value_and_says_after_how_many_episodes_and_steps(tmp_path):
    write_run(tmp_path / "0", [], {0: curve(10, 480), 1: curve(10, 20, 30, 40), 2: curve(10, 20, 490)})
    summary = compared(tmp_path)
    (row,) = summary.rows
    assert row.finals["mean_return"].value == pytest.approx((480 + 40 + 490) / 3)
    assert (row.episodes.value, row.steps.value) == (6, 300)
    assert row.solved.value == pytest.approx(2 / 3)
    assert summary.outcomes.common_steps is None


def test_a_seed_that_failed_counts_as_unsolved_with_its_last_value_and_is_listed(tmp_path):
    """Else two of three seeds that diverge would leave a configuration whose every seed is solved."""
    fate = {1: "stopped at update 2: policy_loss is not\x1b finite", 2: "stopped at update 0: rewards are not finite"}
    curves = {0: curve(10, 480), 1: curve(10, 300), 2: curve(math.nan)}
    write_run(tmp_path / "0", [], curves, error="seeds 1, 2 failed", errors=fate)
    summary = compared(tmp_path)
    (row,) = summary.rows
    assert (row.seeds, row.failed, row.solved.value) == (2, 1, 0.5)
    assert row.finals["mean_return"].value == pytest.approx((480 + 300) / 2)
    assert [why for _, why in failed(summary.outcomes)] == ["seed 1 stopped at update 2: policy_loss is not� finite"]
    ((_, why),) = not_counted(summary.grouping, summary.outcomes)
    assert why == "seed 2 (stopped at update 0: rewards are not finite) has no value of mean_return"
    (warning,) = [text for text in compare_runs([tmp_path]).warnings if text.startswith("Seeds failed")]
    assert warning.startswith("Seeds failed: 1 of 2 of the one configuration.")


def test_a_run_that_failed_counts_if_it_was_learning_that_failed_and_not_if_anything_else_did(tmp_path):
    """One run of five seeds and five runs of one then say the same."""
    write_run(tmp_path / "0", ["baseline=none"], level(50), errors={0: "stopped"})
    for seed in range(5):
        diverged = seed == 0
        of_seed = {"status": "failed", "error": "FloatingPointError", "errors": {0: "stopped"}} if diverged else {}
        write_run(tmp_path / f"1_{seed}", ["baseline=mean"], {seed: curve(10, 50 + 0.1 * seed)}, **of_seed)
    write_run(tmp_path / "2", ["baseline=mean"], {5: curve(1)}, status="failed", error="OSError: full", errors={})
    summary = compared(tmp_path)
    first, second = summary.rows
    assert (first.seeds, first.failed) == (second.seeds, second.failed) == (5, 1)
    assert first.finals == second.finals
    assert [why for _, why in not_counted(summary.grouping, summary.outcomes)] == ["failed: OSError: full"]


def test_runs_of_different_limits_are_not_cut_down_to_where_a_seed_failed(tmp_path):
    write_run(
        tmp_path / "0",
        ["env.max_episodes=8", "baseline=none"],
        {0: curve(10, 20, 30, 40), 1: curve(9)},
        errors={1: "stopped"},
    )
    write_run(tmp_path / "1", ["env.max_episodes=4", "baseline=mean"], {0: curve(11, 21)})
    assert compared(tmp_path).outcomes.common_steps == 200


def test_runs_of_different_limits_are_compared_at_the_steps_that_all_of_them_have(tmp_path):
    long, short = ["env.max_episodes=8", "baseline=none"], ["env.max_episodes=4", "baseline=mean"]
    write_run(tmp_path / "0", long, {0: curve(10, 20, 30, 480), 1: curve(10, 20, 30, 40)})
    write_run(tmp_path / "1", short, {0: curve(480), 1: curve(11, 21)})
    summary = compared(tmp_path)
    assert summary.outcomes.common_steps == 200
    assert [row.finals["mean_return"].value for row in summary.rows] == [20, (480 + 21) / 2]
    assert [row.solved.value for row in summary.rows] == [0.0, 0.5], "what came later does not count"
    (warning,) = compare_runs([tmp_path]).warnings
    assert "compared at 200 environment steps" in warning


def test_a_threshold_of_ones_own_is_looked_for_in_full_windows(tmp_path):
    rows = curve(*[120] * 12, *[130] * 4)
    write_run(tmp_path / "0", [], {0: rows, 1: curve(10, 20)})
    steps = [o.steps for o in compared(tmp_path, threshold=100).outcomes.groups[0][1][""]]
    assert steps == [1300, math.inf], "of 25 episodes, which 13 updates of two have first"
    write_run(tmp_path / "1", ["baseline=mean"], {0: curve(10, 480)})
    (warning,) = compare_runs([tmp_path], threshold=485).warnings
    assert warning.startswith("1 seeds stopped, solved by their own threshold, before they could reach mean_return 485")


def test_several_metrics_have_a_column_each_and_the_first_decides(tmp_path):
    write_run(tmp_path / "0", ["baseline=none"], {seed: curve(50, entropy=0.6) for seed in range(6)})
    write_run(tmp_path / "1", ["baseline=mean"], {seed: curve(60, entropy=0.1) for seed in range(6)})
    summary = compared(tmp_path, metrics=("entropy", "mean_return"))
    assert summary.rows[1].finals["entropy"].value == 0.1
    assert summary.pairs[0].lead.verdict == "worse"
    assert compare_runs([tmp_path], metrics=("entropy", "mean_return")).headline[0] == (
        "Best by final entropy: none (0.6), with 6 seeds each. It is clearly better than mean."
    )
    with pytest.raises(UserError, match=r"metric=entropi: no such column; .*metrics\.csv has entropy, "):
        compared(tmp_path, metrics=("entropi",))


def test_the_reference_is_the_first_group_or_the_one_asked_for(tmp_path):
    for width in (8, 16):
        for baseline in ("none", "value"):
            write_run(tmp_path / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], level(50))
    groups = grouped(tmp_path).groups
    assert find_reference(groups, None) == 0
    assert groups[find_reference(groups, "baseline=value")].label.endswith("baseline=value")
    both = groups[find_reference(groups, "baseline=value,policy.hidden=16")]
    assert both.label == "hidden=16, baseline=value"
    with pytest.raises(
        UserError, match=r"reference=baseline=valu: no group has these settings; expected such as policy\.hidden="
    ):
        find_reference(groups, "baseline=valu")


def test_an_interval_is_written_beside_its_value_and_left_out_where_there_is_none():
    from pg_experiments.comparison.statistics import Estimate
    from pg_experiments.comparison.wording import number, whole

    assert with_interval(Estimate(1234.56, 0.5, 2000), number) == "1,234.6 [0.5, 2,000.0]"
    assert with_interval(Estimate(300, 280, math.inf), whole) == "300 [280, ∞]"
    assert with_interval(Estimate(math.inf, 280, math.inf), whole) == "not reached [280, ∞]"
    assert with_interval(Estimate(math.inf, math.inf, math.inf), whole) == "not reached"
    assert with_interval(Estimate(5, math.nan, math.nan), number) == "5"


def test_the_command_is_the_one_that_was_typed_quoted_for_a_shell(tmp_path):
    typed = ["policy.hidden=16,64", "+note='a b'"]
    own = ["hydra.sweep.dir=here", "hydra.job.config.override_dirname.exclude_keys=['note']", "hydra.mode=MULTIRUN"]
    sources = [{"path": "/conf", "provider": "main"}, {"path": "/my own", "provider": "command-line"}]
    hydra = {"overrides": {"task": typed, "hydra": own}, "runtime": {"config_sources": sources}}
    (tmp_path / "multirun.yaml").write_text(json.dumps({"hydra": hydra}))
    assert commands([tmp_path]) == [
        "python -m pg_experiments.train -m --config-dir '/my own' policy.hidden=16,64 '+note='\"'\"'a b'\"'\"'' "
        "hydra.sweep.dir=here"
    ]
    run = write_run(tmp_path / "run", ["policy.hidden=8"], {0: curve(5)})
    assert commands([run]) == ["python -m pg_experiments.train policy.hidden=8 seed=0 num_seeds=1"]
    (run / ".hydra" / "hydra.yaml").unlink()
    assert commands([run]) == []
