"""Which measure leads a comparison: chosen from all seeds together, so that it causes no false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.comparison import compare_runs
from pg_experiments.comparison.grouping import Group
from pg_experiments.comparison.measures import measures, scores
from pg_experiments.comparison.outcomes import Outcome, Outcomes, Strata
from pg_experiments.comparison.permutation import permutation_p
from pg_experiments.comparison.records import Run, Seed
from tests.comparisons import compared, curve, solved_after

NO_RUN = Run(path=None)  # type: ignore[arg-type]
NO_SEED = Seed(0, False, None, np.zeros(0), np.zeros(0), {})


def of_seeds(values: list[tuple[float, float]]) -> tuple[Outcome, ...]:
    """Seeds with a final return, and steps to the threshold at which they stop."""
    return tuple(
        Outcome(NO_RUN, NO_SEED, {"mean_return": final}, steps, steps, math.isfinite(steps)) for final, steps in values
    )


def found(*groups: Strata) -> Outcomes:
    made = tuple((Group({}, {}, (str(number),)), strata) for number, strata in enumerate(groups))
    return Outcomes(("mean_return",), made, None, (), 0)


@pytest.mark.parametrize(
    ("solved", "leads"), [(0, "final return"), (7, "final return"), (8, "steps to"), (16, "steps")]
)
def test_steps_lead_from_where_half_of_all_seeds_stopped_at_the_threshold(solved, leads):
    seeds = [(480.0, 1000.0 + n) if n < solved else (100.0 + n, math.inf) for n in range(16)]
    (leading, *_), _ = measures(found({"": of_seeds(seeds[:8])}, {"": of_seeds(seeds[8:])}), None)
    assert leading.name.startswith(leads)


def test_seeds_that_reach_a_given_threshold_and_train_on_are_compared_by_their_final_returns(tmp_path):
    for name, level in (("none", 300), ("mean", 400)):
        curves = {seed: curve(*[10] * 20, *[200 + seed] * 13, level + seed) for seed in range(6)}
        write_run(tmp_path / name, [f"baseline={name}"], curves)
    summary = compared(tmp_path, threshold=150)
    assert [row.solved.value for row in summary.rows] == [1, 1]
    assert [measure.name for measure in summary.measures] == ["final return", "steps to mean_return 150"]
    assert summary.why == "The final return leads: 0 of 12 seeds were solved, fewer than half."


def test_a_metric_that_was_asked_for_leads(tmp_path):
    for name in ("none", "mean"):
        curves = {seed: curve(10, 480, entropy=0.5 + seed) for seed in range(6)}
        write_run(tmp_path / name, [f"baseline={name}"], curves)
    summary = compared(tmp_path, metrics=("entropy",))
    assert summary.measures[0].name == "final entropy"
    assert "metric=entropy was asked for" in summary.why


def test_the_choice_does_not_depend_on_which_group_a_seed_belongs_to():
    """Then permutations of the seeds do not change it, and the permutation test is exact after it."""
    rng = np.random.default_rng(0)
    for solved in range(17):
        seeds = [(480.0, 1000.0 + n) if n < solved else (100.0 + n, math.inf) for n in range(16)]
        names = set()
        for _ in range(20):
            mixed = [seeds[n] for n in rng.permutation(16)]
            (leading, *_), _ = measures(found({"": of_seeds(mixed[:6])}, {"": of_seeds(mixed[6:])}), None)
            names.add(leading.name)
        assert len(names) == 1


def test_equal_groups_are_told_apart_by_the_leading_measure_at_most_10_times_of_100():
    """500 pairs of groups of 8 seeds, of which some half is solved, so that either measure leads about as often.

    A test that is wrong 10 times of 100 is wrong more than 72 times of 500 with a probability below 0.001. The smaller
    p-value of the two measures would be wrong more often.
    """
    rng = np.random.default_rng(1)
    alarms, alarms_of_smaller, leads = 0, 0, set()
    for _ in range(500):
        groups = []
        for _ in range(2):
            final, steps = rng.uniform(20, 400, 8), rng.exponential(1000.0, 8)
            solved = rng.random(8) < 0.5
            pairs = [
                (475 + f / 40, s) if yes else (f, math.inf) for f, s, yes in zip(final, steps, solved, strict=True)
            ]
            groups.append({"": of_seeds(pairs)})
        both, _ = measures(found(*groups), None)
        p_values = [permutation_p(one.values(groups[0]), one.values(groups[1])) for one in both]
        leads.add(both[0].name.partition(" ")[0])
        alarms += p_values[0] < 0.1
        alarms_of_smaller += min(p_values) < 0.1
    assert leads == {"steps", "final"}
    assert alarms <= 72
    assert alarms_of_smaller > alarms


@pytest.mark.parametrize("first_is_faster", [True, False])
def test_of_two_that_end_alike_the_one_that_gets_there_in_fewer_steps_is_named(tmp_path, first_is_faster):
    for name, first in (("none", True), ("value", False)):
        start = 30 if first is first_is_faster else 60
        write_run(tmp_path / name, [f"baseline={name}"], {seed: solved_after(start + seed) for seed in range(8)})
    faster, slower = ("none", "value") if first_is_faster else ("value", "none")
    comparison = compare_runs([tmp_path])
    assert comparison.headline == (
        f"Best by steps to mean_return 475: {faster} (median 3,450), with 8 seeds each. "
        f"It is clearly better than {slower}.",
    )
    assert comparison.configurations.pairs[0].contrasts[1].evidence == "none", "the final returns"
    assert comparison.notes[0].startswith("The steps to mean_return 475 lead: 16 of 16 seeds stopped when they were")


def test_a_seed_that_never_gets_there_is_later_than_any(tmp_path):
    for name, never in (("none", 6), ("value", 0)):
        curves = {seed: solved_after(40) if seed >= never else curve(*[10.0] * 41) for seed in range(8)}
        write_run(tmp_path / name, [f"baseline={name}"], curves)
    # 6 of 8 seeds never: each is later than all of the others, each of the rest as late as any
    assert compared(tmp_path).pairs[0].lead.probability.value == pytest.approx(0.75 + 0.25 / 2)


def test_the_mean_rank_by_hand():
    groups = [
        {"a": of_seeds([(1, 1), (3, 1)]), "b": of_seeds([(9, 1)])},
        {"a": of_seeds([(2, 1)]), "b": of_seeds([(9, 1)])},
    ]
    by_final = measures(found(*groups), 1000.0)[0][-1]
    assert by_final.metric == "mean_return"
    # of 1, 2, 3: the first group has mean rank (1/6 + 5/6) / 2, the second 1/2; of 9 and 9: each 1/2
    assert scores(groups, by_final) == pytest.approx([0.5, 0.5])
    assert scores([groups[0], {"a": of_seeds([(0, 1)]), "b": of_seeds([(9, 1)])}], by_final)[0] > 0.5
