"""What a comparison makes of runs: what counts of each seed, and what is said of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.excluded import failed, not_counted
from pg_experiments.comparison.grouping import find_reference
from pg_experiments.comparison.origin import commands
from pg_experiments.comparison.wording import findings, notes, with_interval
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
    assert any(note.startswith("Most seeds were solved and stopped there") for note in notes(summary))
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
    assert any(note.startswith("Seeds failed: 1 of 2 of the one configuration.") for note in notes(summary))


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
    assert any("compared at 200 environment steps" in note for note in notes(summary))


def test_a_threshold_of_ones_own_is_looked_for_in_full_windows(tmp_path):
    rows = curve(*[120] * 12, *[130] * 4)
    write_run(tmp_path / "0", [], {0: rows, 1: curve(10, 20)})
    steps = [o.steps for o in compared(tmp_path, threshold=100).outcomes.groups[0][1][""]]
    assert steps == [1300, math.inf], "of 25 episodes, which 13 updates of two have first"
    write_run(tmp_path / "1", ["baseline=mean"], {0: curve(10, 480)})
    above = compared(tmp_path, threshold=485)
    assert any(note.startswith("1 seeds stopped, solved by their own threshold") for note in notes(above))


def test_several_metrics_have_a_column_each_and_the_first_decides(tmp_path):
    write_run(tmp_path / "0", ["baseline=none"], {seed: curve(50, entropy=0.6) for seed in range(6)})
    write_run(tmp_path / "1", ["baseline=mean"], {seed: curve(60, entropy=0.1) for seed in range(6)})
    summary = compared(tmp_path, metrics=("entropy", "mean_return"))
    assert summary.rows[1].finals["entropy"].value == 0.1
    assert summary.pairs[0].verdict == "worse"
    assert findings(summary)[0].startswith(
        "baseline=none is higher than baseline=mean: a seed of the first has more entropy"
    )
    with pytest.raises(UserError, match=r"metric=entropi: no such column; .*metrics\.csv has entropy, "):
        compared(tmp_path, metrics=("entropi",))


def test_what_is_told_apart_is_said_to_be_better_and_what_is_not_is_said_not_to_be(tmp_path):
    rng = np.random.default_rng(0)
    for name, middle in (("8", 100), ("16", 300), ("32", 301)):
        seeds = {seed: curve(10, float(middle + 30 * rng.normal())) for seed in range(6)}
        write_run(tmp_path / name, [f"policy.hidden={name}"], seeds)
    said = findings(compared(tmp_path))
    assert said[0].startswith("policy.hidden=16 is better than policy.hidden=8: a seed of the first returns more")
    assert said[1].startswith("policy.hidden=32 is better than policy.hidden=8")
    assert said[2].startswith(
        "policy.hidden=16 and policy.hidden=32 are not distinguishable by their final return with 6 seeds each"
    )
    assert "3 comparisons were made (all pairs)" in notes(compared(tmp_path))[-1]


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (1, "Of policy.hidden=8 and policy.hidden=16 nothing can be said with 1 seed each."),
        (2, "Of policy.hidden=8 and policy.hidden=16 nothing can be said with 2 seeds each."),
        (3, "policy.hidden=8 and policy.hidden=16: 3 seeds each cannot tell any difference."),
    ],
)
def test_of_few_seeds_nothing_is_claimed_however_far_they_are_apart(tmp_path, seeds, expected):
    """Not even 3 against 3 can show a difference: chance puts them in this order once in 10."""
    write_run(tmp_path / "0", ["policy.hidden=8"], level(10, seeds))
    write_run(tmp_path / "1", ["policy.hidden=16"], level(400, seeds))
    summary = compared(tmp_path)
    assert summary.pairs[0].verdict == "too few seeds"
    assert findings(summary) == [expected]


def test_with_many_groups_each_is_compared_with_the_reference_and_those_alike_share_a_sentence(tmp_path):
    for width in range(1, 14):
        write_run(tmp_path / f"{width}", [f"policy.hidden={width}"], level(100 if width < 12 else 400, 6))
    summary = compared(tmp_path, reference="policy.hidden=12")
    assert len(summary.pairs) == 12
    said = findings(summary)
    assert said[0].startswith("Worse than policy.hidden=12: 11 of 12, the highest first: ")
    assert said[0].endswith("; and 1 more, which comparison.csv has.")
    assert said[1] == (
        "Not distinguishable from policy.hidden=12 by the final return: 1 of 12, the highest first: policy.hidden=13."
    )


def test_the_reference_is_the_first_group_or_the_one_asked_for(tmp_path):
    for width in (8, 16):
        for baseline in ("none", "value"):
            write_run(tmp_path / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], level(50))
    groups = grouped(tmp_path).groups
    assert find_reference(groups, None) == 0
    assert groups[find_reference(groups, "baseline=value")].label.endswith("baseline=value")
    both = groups[find_reference(groups, "baseline=value,policy.hidden=16")]
    assert both.label == "policy.hidden=16, baseline=value"
    with pytest.raises(UserError, match="reference=baseline=valu: no group has these settings; expected such as"):
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
