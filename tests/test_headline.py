"""The sentences that a comparison begins with."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.comparison import compare_runs
from pg_experiments.comparison.headline import MOST_SEEDS, more_seeds
from pg_experiments.comparison.permutation import permutation_p
from pg_experiments.comparison.summary import evidence_of
from tests.comparisons import compared, curve, level


def widths(directory, *levels: float, spread: float = 0.0, seeds: int = 6) -> None:
    """A run for each level, of increasing width, whose seeds end around it."""
    rng = np.random.default_rng(2)
    for number, value in enumerate(levels):
        curves = {seed: curve(10, float(value + 0.1 * seed + spread * rng.normal())) for seed in range(seeds)}
        write_run(directory / f"{number}", [f"policy.hidden={2 ** (3 + number)}"], curves)


def test_the_title_is_the_question(tmp_path):
    widths(tmp_path, 50, 60)
    assert compare_runs([tmp_path]).title == "policy.hidden on CartPole-v1"
    write_run(tmp_path / "other", ["baseline=mean", "policy.hidden=8"], level(50))
    assert compare_runs([tmp_path]).title == "policy.hidden × baseline on CartPole-v1"
    assert compare_runs([tmp_path], by="baseline").title == "baseline on CartPole-v1, averaged over policy.hidden"
    assert compare_runs([tmp_path / "other"]).title == "One configuration on CartPole-v1"


def test_the_best_is_named_with_those_it_is_clearly_better_than(tmp_path):
    widths(tmp_path, 50, 400, 100, seeds=8)
    assert compare_runs([tmp_path]).headline == (
        "Best by final return: 16 (400.4), with 8 seeds each. It is clearly better than any of the other 2.",
    )


def test_those_that_cannot_be_told_from_the_best_are_named_with_the_seeds_that_it_would_take(tmp_path):
    widths(tmp_path, 50, 400, 401, spread=20, seeds=8)
    comparison = compare_runs([tmp_path])
    first, second = comparison.headline
    assert first.startswith("Best by final return: 32 (")
    assert "It is clearly better than 1 of the other 2 (8)" in first
    assert first.endswith("it cannot be told from 1 of the other 2 (16).")
    assert "More seeds of each configuration" in second or "would take more than 256" in second


def test_weak_evidence_is_called_that(tmp_path):
    write_run(tmp_path / "0", ["policy.hidden=8"], {seed: curve(10, 10.0 * seed) for seed in range(6)})
    write_run(tmp_path / "1", ["policy.hidden=16"], {seed: curve(10, 10.0 * seed + 35) for seed in range(6)})
    comparison = compare_runs([tmp_path])
    (pair,) = comparison.configurations.pairs
    assert 0.01 < pair.lead.p < 0.1
    assert pair.lead.verdict == "weak evidence: better"
    assert comparison.headline[0] == (
        "Best by final return: 16 (60), with 6 seeds each. There is weak evidence that it is better than 8."
    ).replace("(60)", "(60.0)")
    assert comparison.headline[1].startswith("More seeds of each configuration for a clear difference")


def test_where_none_can_be_told_apart_the_one_ahead_is_said_to_be_so_perhaps_by_chance(tmp_path):
    widths(tmp_path, 50, 50, 50, spread=20)
    first = compare_runs([tmp_path]).headline[0]
    assert first.startswith(
        "By final return none of the 3 can be told from the best with 6 seeds each; ahead, perhaps by"
    )


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_of_few_seeds_nothing_is_claimed_however_far_they_are_apart(tmp_path, seeds):
    """Not even 3 against 3 can show a difference: chance puts them in this order once in 10."""
    widths(tmp_path, 10, 400, seeds=seeds)
    comparison = compare_runs([tmp_path])
    assert comparison.configurations.pairs[0].lead.verdict == "too few seeds"
    each = f"{seeds} seed{'s' * (seeds > 1)} each"
    ahead = f"16 ({400 + (seeds - 1) / 20:.1f}) is ahead by final return, perhaps by chance"
    assert comparison.headline == (
        f"Too few seeds to show any difference ({each}): {ahead}.",
        "A clear difference needs at least 5 seeds each, and one that is not huge several times as many.",
    )


def test_seeds_that_cannot_pass_the_correction_for_many_comparisons_are_too_few(tmp_path):
    """4 against 4 seeds have p = 2/70 at least; with 4 configurations, 6 times as much."""
    widths(tmp_path, 10, 100, 200, 400, seeds=4)
    assert {pair.lead.evidence for pair in compared(tmp_path).pairs} == {"too few seeds"}
    assert compare_runs([tmp_path]).headline[0].startswith("Too few seeds to show any difference (4 seeds each)")


def test_with_very_many_configurations_each_is_compared_with_the_best_and_corrected_for_all_pairs(tmp_path):
    widths(tmp_path, *[100.0] * 31, 400.0, seeds=8)
    summary = compared(tmp_path)
    assert summary.best == 31
    assert summary.tests == 32 * 31 / 2
    assert len(summary.pairs) == 31 + 30, "with the best, and with the reference"
    expected = summary.tests * permutation_p([np.arange(8.0)], [np.arange(8.0) + 9])
    assert summary.contrast(31, 5).p == pytest.approx(expected)
    assert summary.contrast(3, 5) is None


def test_more_seeds_are_asked_for_only_where_a_difference_is_not_clear(tmp_path):
    widths(tmp_path, 50, 400, 401, spread=20, seeds=8)
    summary = compared(tmp_path)
    assert math.isnan(more_seeds(summary, 0))
    assert more_seeds(summary, 1) >= 1
    widths(tmp_path / "equal", 50, 50)
    assert more_seeds(compared(tmp_path / "equal"), 1) > MOST_SEEDS


@pytest.mark.parametrize("seeds", [8, 16, 32])
def test_two_seeds_that_change_places_change_a_grade_by_one_at_most(seeds):
    """As where another machine rounds differently. Adjacent ranks are exchanged between the groups, everywhere."""
    rng, order = np.random.default_rng(0), ["none", "weak", "clear"]
    changed = 0
    for shift in np.linspace(0, 2, 9):
        values = np.concatenate([rng.normal(size=seeds), rng.normal(shift, size=seeds)])
        places = np.argsort(values)
        before = order.index(evidence_of(permutation_p([values[:seeds]], [values[seeds:]])))
        for lower, upper in pairwise(places):
            swapped = values.copy()
            swapped[[lower, upper]] = values[[upper, lower]]
            after = order.index(evidence_of(permutation_p([swapped[:seeds]], [swapped[seeds:]])))
            assert abs(after - before) <= 1
            changed += after != before
    assert changed <= 2 * seeds, "and seldom at all"
