"""Estimates with intervals, and whether two groups differ at all.

A group is a list of strata, each an array of one value per seed, and resampling never mixes strata. Interquartile mean,
probability of improvement and stratified bootstrap intervals are those of Agarwal et al., "Deep Reinforcement Learning
at the Edge of the Statistical Precipice" (2021); SciPy's bootstrap takes strata of unequal size, which rliable does
not. The interval of the probability of improvement is another, for with few seeds the bootstrap's is far too narrow.

Random numbers start from the same point at each call, so the same runs always give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, bootstrap, norm, rankdata, trim_mean

CONFIDENCE = 0.95
NORMAL_QUANTILE = float(norm.ppf((1 + CONFIDENCE) / 2))
RESAMPLES = 2000
PERMUTATIONS = 9999
NEARLY_EQUAL = 1e-9  # sums of ranks over products of sizes that differ by less are equal but for rounding
CELLS = 4_000_000  # numbers that a step of resampling holds at most
Strata = Sequence[np.ndarray]


class Estimate(NamedTuple):
    """A value and its 95 % interval. Those of a bootstrap are NaN where a stratum has a single seed."""

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
    """P(X > Y) + P(X = Y) / 2 for a seed X of `first` and Y of `second`, the mean over strata that belong together.

    The interval is a score interval: every θ whose distance from the estimate is at most z √V(θ), V being the variance
    that the estimate would have. Of two formulas for V the larger counts:

    * Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic. Part 2" (2006),
      method 5, which needs the numbers of seeds alone. It also holds where all seeds of one group are above the others;
    * θ (1 − θ) times a factor from the estimate of the variance by DeLong, DeLong and Clarke-Pearson (1988), at most
      that of Birnbaum and Klose (1957). It is the larger one where one group spreads more than the other.

    rliable takes a percentile bootstrap instead. With 5 seeds and a difference of two standard deviations that holds
    the true value 61 times of 100, and this 98 times; `python -m benchmarks.interval_coverage` has the rest. V is taken
    at the same θ for all strata; where those of equal size differ, the interval is too wide rather than too narrow.
    """
    parts = [_Improvement.estimate(x, y) for x, y in zip(first, second, strict=True)]
    others = [_Improvement.estimate(y, x) for x, y in zip(first, second, strict=True)]
    return Estimate(mean_wins(first, second), _lower_end(parts), 1 - _lower_end(others))


def mean_wins(first: Strata, second: Strata) -> float:
    """P(X > Y) + P(X = Y) / 2, the mean over strata."""
    return float(np.mean([_placements(x, y).mean() for x, y in zip(first, second, strict=True)]))


def _placements(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each of x the fraction of y that is less, ties counting half."""
    y = np.sort(y)
    return (np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")) / (2 * len(y))


class _Improvement(NamedTuple):
    """The probability of improvement within a stratum of m and n seeds."""

    value: float
    m: int
    n: int
    spread: float  # its variance as the placements have it, over value (1 − value)

    @classmethod
    def estimate(cls, x: np.ndarray, y: np.ndarray) -> _Improvement:
        m, n = len(x), len(y)
        above, below = _placements(x, y), _placements(y, x)
        value, most = float(above.mean()), 1 / min(m, n)
        if min(m, n) == 1:
            return cls(value, m, n, most)  # nothing is known of the spread
        if not 0 < value < 1:
            return cls(value, m, n, 0.0)
        variance = above.var(ddof=1) / m + below.var(ddof=1) / n
        return cls(value, m, n, min(most, float(variance) / (value * (1 - value))))

    def variance(self, theta: float) -> float:
        """The variance of `value` if the probability were θ."""
        others = (self.m + self.n) / 2 - 1
        of_sizes = (1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (self.m * self.n)
        return theta * (1 - theta) * max(of_sizes, self.spread)


def _lower_end(parts: Sequence[_Improvement]) -> float:
    """The least θ that the mean of the parts is not too far above."""
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
    """How many divisions of the seeds a test looks at: so many that a p-value times the comparisons can be small."""
    return max(PERMUTATIONS, 200 * comparisons - 1)


def permutation_p(first: Strata, second: Strata, comparisons: int = 1) -> float:
    """How probable so uneven a probability of improvement is where both groups are the same. Two-sided.

    Seeds are divided anew into two groups, within each stratum: in every way there is, if there are at most
    `permutations(comparisons)`, else in that many ways drawn at random. The result depends on the values alone: not on
    the order of the seeds or of the strata, and not on which group comes first.
    """
    times = permutations(comparisons)
    strata = [_ranks(x, y) for x, y in _in_one_order(first, second)]
    observed = sum(ranks[:m].sum() / (m * (len(ranks) - m)) for ranks, m in strata)
    if splits(first, second) <= times:
        found = _every_division(strata)
        return int(np.count_nonzero(np.abs(found) >= abs(observed) - NEARLY_EQUAL)) / len(found)
    found = _drawn_divisions(strata, times)
    as_uneven = np.count_nonzero(np.abs(found) >= abs(observed) - NEARLY_EQUAL)
    return (1 + int(as_uneven)) / (1 + times)


def _in_one_order(first: Strata, second: Strata) -> list[tuple[Sequence[float], Sequence[float]]]:
    """The strata with their values sorted, the strata themselves sorted, and the groups in whichever order is less."""
    pairs = [(sorted(x.tolist()), sorted(y.tolist())) for x, y in zip(first, second, strict=True)]
    return min(sorted(pairs), sorted((y, x) for x, y in pairs))


def _ranks(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, int]:
    """The ranks of x and then of y among both, less their mean; and how many x are."""
    ranks = rankdata([*x, *y])
    return ranks - (len(ranks) + 1) / 2, len(x)


def _every_division(strata: Sequence[tuple[np.ndarray, int]]) -> np.ndarray:
    """The statistic of each way to divide the ranks of all strata."""
    found = np.zeros(1)
    for ranks, m in strata:
        of_stratum = ranks[_choices(len(ranks), m)].sum(1) / (m * (len(ranks) - m))
        found = np.add.outer(found, of_stratum).ravel()
    return found


@lru_cache(maxsize=8)
def _choices(count: int, m: int) -> np.ndarray:
    """[ways, m]: the ways to choose m of so many places."""
    return np.array(list(combinations(range(count), m)))


def _drawn_divisions(strata: Sequence[tuple[np.ndarray, int]], times: int) -> np.ndarray:
    """The statistic of so many ways drawn at random."""
    rng = np.random.default_rng(0)
    found = np.zeros(times)
    for ranks, m in strata:
        for start in range(0, times, step := max(1, CELLS // len(ranks))):
            rows = min(step, times - start)
            mixed = rng.permuted(np.tile(np.sort(ranks), (rows, 1)), axis=1)
            found[start : start + rows] += mixed[:, :m].sum(axis=1) / (m * (len(ranks) - m))
    return found


def splits(first: Strata, second: Strata) -> int:
    """How many ways there are to divide the seeds of each stratum into two groups of these sizes."""
    return math.prod(math.comb(len(x) + len(y), len(x)) for x, y in zip(first, second, strict=True))


def least_p(first: Strata, second: Strata) -> float:
    """The p-value if every seed of one group were above every seed of the other: the least there can be."""
    return min(1.0, 2 / splits(first, second))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number: Holm, "A simple sequentially rejective multiple test procedure" (1979)."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
