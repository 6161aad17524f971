"""What each seed came to, at the very steps at which something changes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.outcomes import Outcome
from tests.comparisons import compared, curve

SHORT, LONG = ["env.max_episodes=4", "baseline=none"], ["env.max_episodes=8", "baseline=none"]


def of_seeds(directory: Path, **asked) -> list[Outcome]:
    """Of the first group."""
    ((_, strata), *_) = compared(directory, **asked).outcomes.groups
    return [outcome for of_stratum in strata.values() for outcome in of_stratum]


def test_what_happens_at_the_common_number_of_steps_still_counts_and_what_comes_after_it_does_not(tmp_path):
    write_run(tmp_path / "0", LONG, {0: curve(10, 480, 490, 500), 1: curve(10, 20, 480), 2: curve(1, 2, 3, 4)})
    write_run(tmp_path / "1", [*SHORT[:1], "baseline=mean"], {0: curve(11, 21), 1: curve(11)}, errors={1: "stopped"})
    found = compared(tmp_path).outcomes
    assert found.common_steps == 200, "of those that ended unsolved and unbroken, the first"
    outcomes = of_seeds(tmp_path)
    assert [outcome.finals["mean_return"] for outcome in outcomes] == [480, 20, 2]
    assert [outcome.steps for outcome in outcomes] == [200, math.inf, math.inf]
    assert [outcome.episodes for outcome in outcomes] == [4, math.inf, math.inf]


def test_runs_of_one_length_are_compared_each_at_its_own_end(tmp_path):
    write_run(tmp_path / "0", SHORT, {0: curve(10, 20), 1: curve(10, 40, 30)})
    assert compared(tmp_path).outcomes.common_steps is None
    assert [outcome.finals["mean_return"] for outcome in of_seeds(tmp_path)] == [20, 30]


def test_a_threshold_is_reached_with_the_first_update_that_has_it_exactly(tmp_path):
    rows = curve(*[10] * 12, 99.9, 100, 90, 100)
    write_run(tmp_path / "0", ["env.window=4"], {0: rows, 1: curve(100, 10, 10)})
    first, early = of_seeds(tmp_path, threshold=100.0)
    assert (first.steps, first.episodes) == (1400, 28)
    assert early.steps == math.inf, "a window of four is not full after two episodes"
    (later, _) = of_seeds(tmp_path, threshold=10.0)
    assert (later.steps, later.episodes) == (200, 4)


def test_a_seed_was_solved_in_the_update_whose_episodes_include_the_one_that_solved_it(tmp_path):
    write_run(tmp_path / "0", [], {0: curve(10, 480, 490)})
    (outcome,) = of_seeds(tmp_path)
    assert (outcome.steps, outcome.episodes) == (200, 4)


@pytest.mark.parametrize("missing", ["mean_return", "entropy"])
def test_a_seed_counts_only_with_a_value_of_every_metric(tmp_path, missing):
    rows = [dict(row) for row in curve(10, 20, entropy=0.5)]
    for row in rows:
        del row[missing]
    write_run(tmp_path / "0", [], {0: curve(10, 20, entropy=0.5), 1: rows})
    found = compared(tmp_path, metrics=("mean_return", "entropy")).outcomes
    assert [outcome.seed.seed for outcome in found.without_value] == [1]
    assert [len(of) for _, strata in found.groups for of in strata.values()] == [1]
