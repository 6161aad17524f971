"""Numerical results of a comparison: a row for each group, and a verdict for each pair."""

from __future__ import annotations

import math
import statistics as middle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from pg_experiments.comparison.grouping import Group, Grouping
from pg_experiments.comparison.outcomes import Outcome, Outcomes, Strata
from pg_experiments.comparison.permutation import holm, least_p, permutation_p
from pg_experiments.comparison.statistics import (
    CONFIDENCE,
    Estimate,
    estimate,
    fraction,
    interquartile_mean,
    mean_wins,
    median,
    probability_of_improvement,
)

FEWEST_SEEDS = 3
MOST_GROUPS_IN_PAIRS = 5  # more groups are compared with the reference only, not in all pairs
Verdict = Literal["better", "worse", "not distinguishable", "too few seeds", "nothing in common"]


@dataclass(frozen=True)
class Row:
    """The results of one group."""

    group: Group
    seeds: int
    failed: int  # how many of these seeds failed
    finals: Mapping[str, Estimate]  # metric -> interquartile mean
    solved: Estimate  # fraction that reached the threshold
    episodes: Estimate  # median number of episodes to the threshold
    steps: Estimate  # median number of agent steps to the threshold
    steps_per_second: float  # median over runs
    wall_time_s: float  # median over runs


@dataclass(frozen=True)
class Pair:
    """The comparison of two groups, by index."""

    first: int
    second: int
    seeds: tuple[int, int]
    improvement: Estimate  # of the second over the first
    p: float  # corrected for the number of comparisons; NaN where there was no test
    verdict: Verdict  # on the second group
    sooner: float = math.nan  # probability that a seed of the second reaches the threshold before one of the first
    sooner_p: float = math.nan  # its p-value, corrected separately; NaN where no seed reached the threshold

    @property
    def differs_in_time(self) -> bool:
        """Whether the groups differ significantly in the steps to the threshold."""
        return self.sooner_p < 1 - CONFIDENCE


@dataclass(frozen=True)
class Summary:
    """All results of a comparison."""

    grouping: Grouping
    outcomes: Outcomes
    threshold: float | None
    by: str | None
    reference: int
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The compared metrics; the first decides which group is better."""
        return self.outcomes.metrics

    @property
    def against_reference(self) -> dict[int, Pair]:
        """The pair of each other group with the reference, by the group's index; the reference is `first`."""
        return {pair.second: pair for pair in self.pairs if pair.first == self.reference}

    @property
    def tested(self) -> int:
        """The number of tests that p-values are corrected for."""
        return sum(not math.isnan(pair.p) for pair in self.pairs)


def summarise(grouping: Grouping, found: Outcomes, threshold: float | None, by: str | None, reference: int) -> Summary:
    """Compute all rows and pairs."""
    rows = tuple(_row(group, strata, found.metrics) for group, strata in found.groups)
    pairs = tuple(_pairs([strata for _, strata in found.groups], found.metrics[0], reference))
    return Summary(grouping, found, threshold, by, reference, rows, pairs)


def _row(group: Group, strata: Strata, metrics: Sequence[str]) -> Row:
    runs = group.runs
    return Row(
        group=group,
        seeds=sum(map(len, strata.values())),
        failed=sum(outcome.seed.error is not None for stratum in strata.values() for outcome in stratum),
        finals={metric: estimate(interquartile_mean, finals_of(strata, metric)) for metric in metrics},
        solved=fraction([np.isfinite(steps) for steps in steps_of(strata)]),
        episodes=median(of_seeds(strata, lambda o: o.episodes)),
        steps=median(steps_of(strata)),
        steps_per_second=middle.median(run.env_steps / max(run.wall_time_s, 1e-9) for run in runs),
        wall_time_s=middle.median(run.wall_time_s for run in runs),
    )


def of_seeds(strata: Strata, value: Callable[[Outcome], float]) -> list[np.ndarray]:
    """One number of each seed, by stratum."""
    return [np.array([value(outcome) for outcome in seeds]) for seeds in strata.values()]


def finals_of(strata: Strata, metric: str) -> list[np.ndarray]:
    """The final value of each seed, by stratum."""
    return of_seeds(strata, lambda outcome: outcome.finals[metric])


def steps_of(strata: Strata) -> list[np.ndarray]:
    """The steps of each seed to the threshold, by stratum; infinite where it was not reached."""
    return of_seeds(strata, lambda outcome: outcome.steps)


def _pairs(groups: Sequence[Strata], metric: str, reference: int) -> list[Pair]:
    others = [index for index in range(len(groups)) if index != reference]
    chosen = [(reference, other) for other in others]
    if len(groups) <= MOST_GROUPS_IN_PAIRS:
        chosen += combinations(others, 2)
    pairs = [_pair(groups, first, second, metric) for first, second in chosen]
    tested = [index for index, pair in enumerate(pairs) if not math.isnan(pair.p)]
    for index, p in zip(tested, holm([pairs[index].p for index in tested]), strict=True):
        pairs[index] = _judged(pairs[index], p)
    timed = [index for index, pair in enumerate(pairs) if not math.isnan(pair.sooner_p)]
    for index, p in zip(timed, holm([pairs[index].sooner_p for index in timed]), strict=True):
        pairs[index] = replace(pairs[index], sooner_p=p)
    return pairs


def _pair(groups: Sequence[Strata], first: int, second: int, metric: str) -> Pair:
    shared = [name for name in groups[first] if name in groups[second]]
    x, y = (finals_of({name: groups[index][name] for name in shared}, metric) for index in (first, second))
    seeds = sum(map(len, x)), sum(map(len, y))
    nothing = Estimate(np.nan, np.nan, np.nan)
    if not shared:
        return Pair(first, second, seeds, nothing, np.nan, "nothing in common")
    improvement = probability_of_improvement(y, x)
    if min(seeds) < FEWEST_SEEDS or least_p(x, y) >= 1 - CONFIDENCE:
        return Pair(first, second, seeds, improvement, np.nan, "too few seeds")
    found = Pair(first, second, seeds, improvement, permutation_p(x, y), "not distinguishable")
    s, t = (steps_of({name: groups[index][name] for name in shared}) for index in (first, second))
    if not any(np.isfinite(stratum).any() for stratum in [*s, *t]):
        return found
    return replace(found, sooner=mean_wins(s, t), sooner_p=permutation_p(s, t))


def _judged(pair: Pair, p: float) -> Pair:
    if p >= 1 - CONFIDENCE:
        return replace(pair, p=p)
    return replace(pair, p=p, verdict="better" if pair.improvement.value > 0.5 else "worse")
