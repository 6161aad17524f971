"""The number of seeds with which a difference would probably be shown."""

from __future__ import annotations

import math

from scipy.stats import norm

POWER = 0.8  # probability that the test then shows the difference


def seeds_needed(probability: float, level: float) -> float:
    """Seeds of each of two groups with which a two-sided rank-sum test at `level` has the power `POWER`.

    Noether, "Sample size determination for some common nonparametric tests" (1987), for groups of equal size:
    n = (z_{1 − level/2} + z_{POWER})² / (6 (θ − 1/2)²), and at least as many as can reach the level at all. It is an
    estimate: θ is the observed probability of improvement, which may be far from the true one.

    Returns:
        The number, rounded up; infinite for a probability of 1/2.
    """
    distance = abs(probability - 0.5)
    if distance == 0:
        return math.inf
    quantiles = float(norm.ppf(1 - level / 2) + norm.ppf(POWER))
    return max(math.ceil(quantiles**2 / (6 * distance**2)), fewest_seeds(level))


def fewest_seeds(level: float) -> int:
    """The smallest n for which n seeds that are all above n others have a p-value below the level."""
    return next(n for n in range(1, 1000) if 2 / math.comb(2 * n, n) < level)
