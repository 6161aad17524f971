"""Estimates with confidence intervals, of one group of seeds and of the difference between two.

A group is a list of strata, each an array of one value per seed, and resampling never mixes strata. Interquartile mean,
probability of improvement and stratified bootstrap intervals are those of Agarwal et al., "Deep Reinforcement Learning
at the Edge of the Statistical Precipice" (2021). SciPy's bootstrap supports strata of unequal size, which rliable does
not. The probability of improvement has a score interval instead, as the bootstrap's is far too narrow with few seeds.

Each call uses a generator with a fixed seed, so results are reproducible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, bootstrap, norm, trim_mean

CONFIDENCE = 0.95
NORMAL_QUANTILE = float(norm.ppf((1 + CONFIDENCE) / 2))
RESAMPLES = 2000
NEARLY_EQUAL = 1e-9  # tolerance for rounding when test statistics are compared
CELLS = 4_000_000  # most numbers in memory in a batch of resampling
Strata = Sequence[np.ndarray]


class Estimate(NamedTuple):
    """A value and its 95 % interval. Those of a bootstrap are NaN where a stratum has a single seed."""

    value: float
    low: float
    high: float


def interquartile_mean(values: np.ndarray, axis: int = -1) -> Any:
    """The mean without the lowest and the highest quarter of the values, each rounded down."""
    return trim_mean(values, 0.25, axis=axis)


def estimate(statistic: Callable[..., Any], strata: Strata) -> Estimate:
    """A statistic of the pooled strata, with a stratified bootstrap interval (percentiles).

    Args:
        statistic: function of an array and an axis, with finite values.
        strata: each [seeds].
    """
    return _bootstrapped(_of_pooled(statistic), strata)


def _of_pooled(statistic: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *strata, axis: statistic(np.concatenate(strata, axis=axis), axis=axis)


def band(statistic: Callable[..., Any], strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """The interval at each of P points, with all points of a seed resampled together: low and high, each [P].

    Args:
        statistic: function of an array and an axis, with finite values.
        strata: each [P, seeds].
    """
    return _interval(_of_pooled(statistic), strata, sum(stratum.size for stratum in strata))


def median(strata: Strata) -> Estimate:
    """The median of values that may be infinite (the threshold was not reached)."""
    pooled = np.concatenate(strata)
    reached = pooled[np.isfinite(pooled)]
    if not len(reached):
        return Estimate(math.inf, math.inf, math.inf)
    largest = float(reached.max())
    never = 1e9 * (1.0 + largest)  # finite stand-in; its mean with any reached value exceeds all reached values
    found = estimate(np.median, [np.where(np.isfinite(stratum), stratum, never) for stratum in strata])
    return Estimate(*(math.inf if end > largest else end for end in found))


def fraction(strata: Sequence[np.ndarray]) -> Estimate:
    """The fraction of true values, with Wilson's interval, which is conservative where there are strata."""
    pooled = np.concatenate(strata).astype(bool)
    interval = binomtest(int(pooled.sum()), len(pooled)).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(float(pooled.mean()), float(interval.low), float(interval.high))


def probability_of_improvement(first: Strata, second: Strata) -> Estimate:
    """P(X > Y) + P(X = Y) / 2 for a seed X of `first` and a seed Y of `second`, averaged over corresponding strata.

    The interval is a score interval: all θ whose distance from the estimate is at most z √V(θ), where V is the variance
    of the estimate if θ were the true value. V is the larger of two formulas:

    * Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic. Part 2" (2006),
      method 5. It depends only on the numbers of seeds, and is valid where all seeds of one group are above the others;
    * θ (1 − θ) times a factor from the estimate of the variance by DeLong, DeLong and Clarke-Pearson (1988), at most
      that of Birnbaum and Klose (1957). It is the larger one where one group has a larger spread than the other.

    rliable uses a percentile bootstrap instead. With 5 seeds and a difference of two standard deviations its coverage
    is 61 %, and that of this interval 98 %; `python -m benchmarks.interval_coverage` has further results. V is
    evaluated at the same θ for all strata; where strata of equal size differ, the interval is conservative.
    """
    parts = [Improvement.estimate(x, y) for x, y in zip(first, second, strict=True)]
    others = [Improvement.estimate(y, x) for x, y in zip(first, second, strict=True)]
    return Estimate(mean_wins(first, second), _lower_end(parts), 1 - _lower_end(others))


def mean_wins(first: Strata, second: Strata) -> float:
    """P(X > Y) + P(X = Y) / 2, averaged over strata."""
    return float(np.mean([_placements(x, y).mean() for x, y in zip(first, second, strict=True)]))


def _placements(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The fraction of y below each value of x; ties count half."""
    y = np.sort(y)
    return (np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")) / (2 * len(y))


class Improvement(NamedTuple):
    """The probability of improvement within a stratum of m and n seeds."""

    value: float
    m: int
    n: int
    spread: float  # DeLong's variance of the value, divided by value (1 − value)

    @classmethod
    def estimate(cls, x: np.ndarray, y: np.ndarray) -> Improvement:
        m, n = len(x), len(y)
        above, below = _placements(x, y), _placements(y, x)
        value, most = float(above.mean()), 1 / min(m, n)
        if min(m, n) == 1:
            return cls(value, m, n, most)  # the spread cannot be estimated
        if not 0 < value < 1:
            return cls(value, m, n, 0.0)
        variance = above.var(ddof=1) / m + below.var(ddof=1) / n
        return cls(value, m, n, min(most, float(variance) / (value * (1 - value))))

    def variance(self, theta: float) -> float:
        """The variance of `value` if the probability were θ."""
        others = (self.m + self.n) / 2 - 1
        of_sizes = (1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (self.m * self.n)
        return theta * (1 - theta) * max(of_sizes, self.spread)


def _lower_end(parts: Sequence[Improvement]) -> float:
    """The lower end of the score interval of the mean of the parts."""
    value = float(np.mean([part.value for part in parts]))
    if value <= NEARLY_EQUAL:
        return 0.0

    def too_far(theta: float) -> float:
        variance = sum(part.variance(theta) for part in parts) / len(parts) ** 2
        return float(value - theta - NORMAL_QUANTILE * math.sqrt(variance))

    return float(brentq(too_far, 0.0, value - NEARLY_EQUAL))


def _bootstrapped(statistic: Callable[..., Any], samples: Strata) -> Estimate:
    low, high = _interval(statistic, samples, sum(map(len, samples)))
    return Estimate(float(statistic(*samples, axis=-1)), float(low), float(high))


def _interval(statistic: Callable[..., Any], samples: Strata, size: int) -> tuple[Any, Any]:
    """Percentile bootstrap interval of the statistic. `size` is the number of values in one resample."""
    if min(sample.shape[-1] for sample in samples) < 2:
        nothing = np.full(samples[0].shape[:-1], np.nan)
        return nothing, nothing
    interval = bootstrap(
        tuple(samples),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, CELLS // size),
        axis=-1,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return interval.low, interval.high
