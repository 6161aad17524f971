"""Test of an interaction: whether the difference between two groups depends on the stratum.

A difference is measured by the probability of improvement. It is equal in all strata if the other settings do not
change how much better one group is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2

from pg_experiments.comparison.statistics import Improvement

FEWEST_SEEDS = 4  # of each group in a stratum; with fewer, χ² is a poor approximation
Strata = Sequence[np.ndarray]


def interaction_p(first: Strata, second: Strata) -> float | None:
    """P-value of the hypothesis that the probability of improvement is equal in all strata.

    Cochran's Q, "The combination of estimates from different experiments" (1954): Σ (θ_s − θ)² / V_s over S strata,
    with θ the mean of the θ_s weighted by 1 / V_s, has approximately a χ² distribution with S − 1 degrees of freedom.
    V_s is the variance of θ_s if the common value were true, as in the interval of the probability of improvement. It
    is positive where all seeds of one group are above the others.

    Returns:
        The p-value; None for a single stratum, or with fewer than `FEWEST_SEEDS` seeds of a group in a stratum.
    """
    if len(first) < 2 or min(map(len, [*first, *second])) < FEWEST_SEEDS:
        return None
    parts = [Improvement.estimate(x, y) for x, y in zip(first, second, strict=True)]
    values = np.array([part.value for part in parts])
    if np.ptp(values) == 0:
        return 1.0
    variances = np.array([part.variance(float(values.mean())) for part in parts])
    common = float(np.average(values, weights=1 / variances))
    variances = np.array([part.variance(common) for part in parts])
    return float(chi2.sf(((values - common) ** 2 / variances).sum(), len(parts) - 1))
