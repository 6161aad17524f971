"""Stratified permutation test of the difference between two groups, and Holm's correction for several tests.

A group is a list of strata, each an array of one value per seed. Seeds are reassigned to the two groups within each
stratum only. The null distribution of the statistic is computed exactly, ties included, with the shift algorithm of
Streitberg and Röhmel, "Exact distributions for permutation and rank tests" (1986). It works on integers, so a p-value
does not depend on random numbers or on the machine. Only where there are too many seeds for it, permutations are drawn
at random, from a generator with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.stats import rankdata

PERMUTATIONS = 99_999  # drawn where the exact distribution is too large
MOST_CELLS = 150_000_000  # additions of the shift algorithm in a stratum: two groups of some 75 seeds
MOST_VALUES = 1_000_000  # of the statistic over all strata
CELLS = 4_000_000  # most numbers in memory in a batch of draws
NEARLY_EQUAL = 1e-9  # tolerance for rounding when drawn statistics are compared
Strata = Sequence[np.ndarray]
Ranks = tuple[int, ...]  # twice the mid-ranks of a pooled stratum, minus 2, in ascending order


def permutation_p(first: Strata, second: Strata) -> float:
    """Two-sided p-value of a stratified permutation test of the probability of improvement, averaged over strata.

    Without strata and ties it is that of the exact Mann-Whitney test. The result depends only on the values: not on the
    order of the seeds, of the strata or of the groups.
    """
    pairs = list(zip(first, second, strict=True))
    # one order of the strata and of the groups, so that sums are rounded alike for all of them
    strata = min(sorted(_ranked(x, y) for x, y in pairs), sorted(_ranked(y, x) for x, y in pairs))
    smallest = [min(m, len(ranks) - m) for ranks, m, _ in strata]
    unit = math.lcm(*(m * (len(ranks) - m) for ranks, m, _ in strata))
    fits = all(
        len(ranks) * m * sum(ranks[-m:]) <= MOST_CELLS for (ranks, _, _), m in zip(strata, smallest, strict=True)
    )
    if fits and 2 * unit * len(strata) <= MOST_VALUES:
        return _exact_p(strata, unit)
    return _drawn_p(strata)


def _ranked(x: np.ndarray, y: np.ndarray) -> tuple[Ranks, int, int]:
    """The ranks of the pooled stratum, the size of x, and the sum of the ranks of x."""
    doubled = (2 * rankdata([*x, *y])).astype(int) - 2
    return tuple(sorted(doubled.tolist())), len(x), int(doubled[: len(x)].sum())


def _exact_p(strata: Sequence[tuple[Ranks, int, int]], unit: int) -> float:
    """The probability of a statistic that is at least as far from zero as the observed one.

    The statistic is Σ (2 U − m n) · unit / (m n) over strata, where U is the Mann-Whitney statistic: an integer.
    """
    observed, probabilities = 0, np.ones(1)
    for ranks, m, total in strata:
        weight = unit // (m * (len(ranks) - m))
        observed += weight * (total - m * (len(ranks) - 1))
        of_stratum = _centred_distribution(ranks, m)
        wider = np.zeros(len(probabilities) + weight * (len(of_stratum) - 1))
        for place in np.flatnonzero(of_stratum):
            wider[place * weight : place * weight + len(probabilities)] += of_stratum[place] * probabilities
        probabilities = wider
    middle = len(probabilities) // 2
    tail = probabilities[: middle - abs(observed) + 1].sum() + probabilities[middle + abs(observed) :].sum()
    return min(1.0, float(tail))


@lru_cache(maxsize=256)
def _centred_distribution(ranks: Ranks, m: int) -> np.ndarray:
    """The probabilities that 2 U − m n = −m n, …, m n, where each choice of m of the ranks is equally likely."""
    n = len(ranks) - m
    if m > n:  # the smaller group needs fewer additions; its statistic is the other's negative
        return _centred_distribution(ranks, n)[::-1]
    ways = np.zeros((m + 1, sum(ranks[-m:]) + 1))  # [chosen, sum]; float64 is exact enough: only additions
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    least = m * (m - 1)  # the sum of the m lowest ranks without ties; with ties it is larger
    distribution = np.zeros(2 * m * n + 1)
    distribution[: ways.shape[1] - least] = ways[m, least:]
    return distribution / math.comb(m + n, m)


def _drawn_p(strata: Sequence[tuple[Ranks, int, int]]) -> float:
    """The p-value from random reassignments, of which the observed assignment counts as one."""
    rng = np.random.default_rng(0)
    observed, found = 0.0, np.zeros(PERMUTATIONS)
    for ranks, m, total in strata:
        scale, centre = 1 / (m * (len(ranks) - m)), m * (len(ranks) - 1)
        observed += scale * (total - centre)
        for start in range(0, PERMUTATIONS, step := max(1, CELLS // len(ranks))):
            rows = min(step, PERMUTATIONS - start)
            mixed = rng.permuted(np.tile(ranks, (rows, 1)), axis=1)
            found[start : start + rows] += scale * (mixed[:, :m].sum(axis=1) - centre)
    as_uneven = np.count_nonzero(np.abs(found) >= abs(observed) - NEARLY_EQUAL)
    return (1 + int(as_uneven)) / (1 + PERMUTATIONS)


def least_p(first: Strata, second: Strata) -> float:
    """The smallest possible p-value: that of groups where every seed of one is above every seed of the other."""
    ways = math.prod(math.comb(len(x) + len(y), len(x)) for x, y in zip(first, second, strict=True))
    return min(1.0, 2 / ways)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted by Holm, "A simple sequentially rejective multiple test procedure" (1979)."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
