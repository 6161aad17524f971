"""Estimates with intervals, and whether two groups differ at all.

A group is a list of strata, each an array of one value per seed, and resampling never mixes strata. Interquartile mean,
probability of improvement and stratified intervals are those of Agarwal et al., "Deep Reinforcement Learning at the
Edge of the Statistical Precipice" (2021); SciPy's bootstrap takes strata of unequal size, which rliable does not.

Random numbers start from the same point at each call, so the same runs always give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, bootstrap, rankdata, trim_mean

CONFIDENCE = 0.95
RESAMPLES = 2000
PERMUTATIONS = 9999
CELLS = 4_000_000  # numbers that a step of resampling holds at most
Strata = Sequence[np.ndarray]


class Estimate(NamedTuple):
    """A value and its 95 % interval, whose ends are NaN where a stratum has a single seed."""

    value: float
    low: float
    high: float


def interquartile_mean(values: np.ndarray, axis: int = -1) -> Any:
    """The mean without the lowest and the highest quarter (each rounded down) of all values."""
    return trim_mean(values, 0.25, axis=axis)


def estimate(statistic: Callable[..., Any], strata: Strata) -> Estimate:
    """A statistic of the pooled strata, with a stratified bootstrap interval (percentiles).

    Args:
        statistic: takes an array and an axis, and is finite.
        strata: each [seeds].
    """
    return _bootstrapped(_of_pooled(statistic), strata)


def _of_pooled(statistic: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *strata, axis: statistic(np.concatenate(strata, axis=axis), axis=axis)


def band(statistic: Callable[..., Any], strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """The interval at each of P points, with all points of a seed resampled together: low and high, each [P].

    Args:
        statistic: takes an array and an axis, and is finite.
        strata: each [P, seeds].
    """
    return _interval(_of_pooled(statistic), strata, sum(stratum.size for stratum in strata))


def median(strata: Strata) -> Estimate:
    """The median of values of which some are infinite: never reached."""
    pooled = np.concatenate(strata)
    reached = pooled[np.isfinite(pooled)]
    if not len(reached):
        return Estimate(math.inf, math.inf, math.inf)
    largest = float(reached.max())
    never = 1e9 * (1.0 + largest)  # so large that no mean of it and a reached value is one of the reached
    found = estimate(np.median, [np.where(np.isfinite(stratum), stratum, never) for stratum in strata])
    return Estimate(*(math.inf if end > largest else end for end in found))


def fraction(strata: Sequence[np.ndarray]) -> Estimate:
    """The fraction of true values, with Wilson's interval; strata can only make it too wide."""
    pooled = np.concatenate(strata).astype(bool)
    interval = binomtest(int(pooled.sum()), len(pooled)).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(float(pooled.mean()), float(interval.low), float(interval.high))


def probability_of_improvement(first: Strata, second: Strata) -> Estimate:
    """P(X > Y) + P(X = Y) / 2 for a seed X of `first` and Y of `second`, the mean over strata that belong together."""
    count = len(first)

    def mean_over_strata(*samples: np.ndarray, axis: int) -> Any:
        return mean_wins(samples[:count], samples[count:])

    size = max(len(x) * len(y) for x, y in zip(first, second, strict=True))
    return _bootstrapped(mean_over_strata, [*first, *second], size)


def mean_wins(first: Strata, second: Strata) -> Any:
    """P(X > Y) + P(X = Y) / 2, the mean over strata; of arrays [*, seeds] an array [*]."""
    return np.mean([_wins(x, y) for x, y in zip(first, second, strict=True)], axis=0)


def _wins(x: np.ndarray, y: np.ndarray) -> Any:
    difference = np.sign(x[..., :, None] - y[..., None, :])
    return (1 + difference.mean(axis=(-2, -1))) / 2


def _bootstrapped(statistic: Callable[..., Any], samples: Strata, size: int | None = None) -> Estimate:
    low, high = _interval(statistic, samples, size or sum(map(len, samples)))
    return Estimate(float(statistic(*samples, axis=-1)), float(low), float(high))


def _interval(statistic: Callable[..., Any], samples: Strata, size: int) -> tuple[Any, Any]:
    """Percentiles of the statistic over resampled samples. `size`: the numbers that one of them takes."""
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


def permutations(comparisons: int) -> int:
    """How often seeds are dealt anew: so often that a p-value multiplied by the number of comparisons can be small."""
    return max(PERMUTATIONS, 200 * comparisons - 1)


def permutation_p(first: Strata, second: Strata, comparisons: int = 1) -> float:
    """How probable so uneven a probability of improvement is where both groups are the same.

    Two-sided: seeds are dealt anew to both groups, within each stratum.
    """
    rng = np.random.default_rng(0)
    times = permutations(comparisons)
    observed, dealt = 0.0, np.zeros(times)
    for x, y in zip(first, second, strict=True):
        ranks = rankdata(np.concatenate([x, y])) - (len(x) + len(y) + 1) / 2  # of mean 0
        scale = len(x) * len(y)
        observed += ranks[: len(x)].sum() / scale
        for start in range(0, times, step := max(1, CELLS // len(ranks))):
            rows = min(step, times - start)
            mixed = rng.permuted(np.tile(ranks, (rows, 1)), axis=1)
            dealt[start : start + rows] += mixed[:, : len(x)].sum(axis=1) / scale
    as_uneven = np.count_nonzero(np.abs(dealt) >= abs(observed) - 1e-9)
    return (1 + int(as_uneven)) / (1 + times)


def least_p(first: Strata, second: Strata) -> float:
    """The p-value if every seed of one group were above every seed of the other: the least there can be."""
    return min(1.0, 2 / math.prod(math.comb(len(x) + len(y), len(x)) for x, y in zip(first, second, strict=True)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number: Holm, "A simple sequentially rejective multiple test procedure" (1979)."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
