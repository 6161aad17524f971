"""The number of seeds that would show a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from pg_experiments.comparison.permutation import permutation_p
from pg_experiments.comparison.power import POWER, fewest_seeds, seeds_needed


def test_noethers_formula_by_hand():
    """(1.960 + 0.842)² / (6 · 0.3²) = 14.5."""
    assert seeds_needed(0.8, 0.05) == seeds_needed(0.2, 0.05) == 15
    assert seeds_needed(0.5, 0.05) == math.inf


def test_with_fewer_seeds_than_the_fewest_no_difference_is_significant():
    """4 against 4 seeds can have p = 2/70, and 3 against 3 p = 2/20."""
    assert [fewest_seeds(level) for level in (0.11, 0.05, 0.02, 0.01)] == [3, 4, 5, 5]
    assert seeds_needed(1.0, 0.01) == max(5, math.ceil((norm.ppf(0.995) + norm.ppf(0.8)) ** 2 / 1.5))


@pytest.mark.parametrize(("probability", "level"), [(0.75, 0.05), (0.85, 0.01)])
def test_with_that_many_seeds_the_test_shows_the_difference_about_8_times_of_10(probability, level):
    """300 samples, whose rate has a standard error of 0.023."""
    rng, count = np.random.default_rng(0), int(seeds_needed(probability, level))
    shift = math.sqrt(2) * norm.ppf(probability)
    shown = sum(permutation_p([rng.normal(size=count)], [rng.normal(shift, size=count)]) < level for _ in range(300))
    assert shown / 300 == pytest.approx(POWER, abs=0.09)
