"""The permutation test: against enumeration, SciPy's exact test, and by its rate of false alarms."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from pg_experiments.comparison.permutation import PERMUTATIONS, holm, least_p, permutation_p
from pg_experiments.comparison.statistics import mean_wins


def strata(*values: list[float]) -> list[np.ndarray]:
    return [np.array(of_stratum, dtype=float) for of_stratum in values]


def test_the_p_value_is_the_share_of_divisions_that_are_as_uneven():
    """3 against 3 seeds, all above: of 20 divisions 2 are as uneven."""
    x, y = strata([1, 2, 3]), strata([4, 5, 6])
    assert least_p(x, y) == permutation_p(x, y) == pytest.approx(0.1)
    assert permutation_p(strata([5, 5, 5]), strata([5, 5, 5])) == 1.0
    pairs = [np.array([float(i)]) for i in range(8)]
    above = [pair + 0.5 for pair in pairs]
    assert least_p(pairs, above) == permutation_p(pairs, above) == pytest.approx(2 / 2**8), "a sign test"


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([[3, 1, 4], [1, 5]], [[2, 6, 5, 3], [9, 8, 8]]),
        ([[math.inf, 300, 200], [math.inf]], [[100, 250, math.inf], [50, 60, math.inf]]),
        ([[1.0, 1.0, 0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0, 1.0]]),
        ([[3, 2, 2, 1], [1, 0]], [[0, 0], [0, 3, 2]]),  # the first group is the larger one, and the smaller
    ],
)
def test_with_few_divisions_the_p_value_counts_every_one_of_them(x, y):
    x, y = strata(*x), strata(*y)
    ways = []
    for first, second in zip(x, y, strict=True):
        both = np.concatenate([first, second])
        chosen = [list(c) for c in combinations(range(len(both)), len(first))]
        ways.append([(both[c], np.delete(both, c)) for c in chosen])
    every = [abs(mean_wins(*zip(*division, strict=True)) - 0.5) for division in product(*ways)]
    expected = np.mean(np.array(every) >= abs(mean_wins(x, y) - 0.5) - 1e-12)
    assert permutation_p(x, y) == pytest.approx(float(expected), abs=1e-12)


def test_the_p_value_is_that_of_mann_and_whitneys_exact_test_where_there_are_no_ties():
    rng = np.random.default_rng(7)
    for sizes in ((4, 4), (3, 9), (7, 6)):
        x, y = rng.normal(size=sizes[0]), rng.normal(0.8, size=sizes[1])
        assert permutation_p([x], [y]) == pytest.approx(mannwhitneyu(x, y, method="exact").pvalue, abs=1e-12)


def test_the_p_value_is_exact_with_as_many_seeds_as_a_sweep_has():
    """32 against 24, and 60 against 60 with a few ties, where the normal approximation is good to 15 %."""
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=32), rng.normal(0.8, size=24)
    assert permutation_p([x], [y]) == pytest.approx(mannwhitneyu(x, y, method="exact").pvalue, rel=1e-9)
    x, y = rng.integers(40, size=60).astype(float), rng.integers(8, 48, size=60).astype(float)
    assert permutation_p([x], [y]) == pytest.approx(mannwhitneyu(x, y, method="asymptotic").pvalue, rel=0.15)


def test_with_too_many_seeds_permutations_are_drawn_and_the_p_value_is_within_their_error():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=90), rng.normal(0.3, size=80)
    expected = mannwhitneyu(x, y, method="asymptotic").pvalue
    found = permutation_p([x], [y])
    assert found == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / PERMUTATIONS) + 5e-4)
    assert found * (1 + PERMUTATIONS) == pytest.approx(round(found * (1 + PERMUTATIONS)))


@pytest.mark.parametrize("sizes", [[(5, 5)], [(12, 12)], [(9, 14)], [(3, 4), (2, 2)], [(8, 8), (7, 3), (3, 7)]])
@pytest.mark.parametrize("levels", [3, 1000])
def test_the_p_value_depends_neither_on_the_order_of_seeds_and_strata_nor_on_which_group_comes_first(sizes, levels):
    """To the last bit, with many ties and with few, and with seeds that never got there."""
    rng = np.random.default_rng(9)
    x, y = ([rng.integers(levels, size=size[group]).astype(float) for size in sizes] for group in (0, 1))
    y[0][0] = math.inf
    expected = permutation_p(x, y)
    for _ in range(5):
        order = rng.permutation(len(sizes))
        x, y = ([rng.permutation(group[index]) for index in order] for group in (x, y))
        assert permutation_p(x, y) == permutation_p(y, x) == expected
        assert mean_wins(x, y) == pytest.approx(1 - mean_wins(y, x), abs=1e-15)


@pytest.mark.parametrize(
    ("layout", "ties"),
    [([(6, 6)], False), ([(6, 6)], True), ([(9, 12)], False), ([(3, 3), (3, 3), (2, 4)], True)],
)
def test_equal_groups_are_told_apart_at_most_5_times_of_100(layout, ties):
    """400 pairs of groups. A test that is wrong 5 times of 100 finds more than 38 with a probability below 0.001."""
    rng = np.random.default_rng(3)

    def draw(size: int) -> np.ndarray:
        values = rng.normal(size=size)
        return np.where(values > 0, math.inf, values) if ties else values

    found = sum(permutation_p([draw(m) for m, _ in layout], [draw(n) for _, n in layout]) < 0.05 for _ in range(400))
    assert found <= 38


def test_holms_correction_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
