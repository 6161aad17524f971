"""Numerical results of a comparison: a row for each group, and a contrast by each measure for each pair of groups."""

from __future__ import annotations

import math
import statistics as middle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from pg_experiments.comparison.grouping import Group, Grouping
from pg_experiments.comparison.measures import Measure, final_measure, measures, of_seeds, scores
from pg_experiments.comparison.outcomes import Outcomes, Strata
from pg_experiments.comparison.permutation import holm, least_p, permutation_p
from pg_experiments.comparison.statistics import (
    Estimate,
    estimate,
    fraction,
    interquartile_mean,
    median,
    probability_of_improvement,
)

CLEAR = 0.01  # a corrected p-value below this is called a clear difference
WEAK = 0.1  # and below this weak evidence
FEWEST_SEEDS = 3
MOST_GROUPS_IN_PAIRS = 30  # more groups are compared with the best and the reference only, not in all pairs
Evidence = Literal["clear", "weak", "none", "too few seeds", "nothing in common"]
NOTHING = Estimate(math.nan, math.nan, math.nan)


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

    @property
    def label(self) -> str:
        """The settings of the group in one line, without what all groups share."""
        return self.group.label

    @property
    def settings(self) -> Mapping[str, str]:
        """The values of the keys that distinguish the groups."""
        return self.group.settings


@dataclass(frozen=True)
class Contrast:
    """Two groups compared by one measure."""

    probability: Estimate  # that a seed of the second is better than one of the first
    p: float  # corrected for the number of comparisons; NaN where there was no test
    evidence: Evidence

    @property
    def verdict(self) -> str:
        """The verdict on the second group."""
        if self.evidence not in ("clear", "weak"):
            return "not distinguishable" if self.evidence == "none" else self.evidence
        word = "better" if self.probability.value > 0.5 else "worse"
        return word if self.evidence == "clear" else f"weak evidence: {word}"

    @property
    def mirrored(self) -> Contrast:
        """The same with the groups exchanged."""
        value, low, high = self.probability
        return replace(self, probability=Estimate(1 - value, 1 - high, 1 - low))


@dataclass(frozen=True)
class Pair:
    """The comparison of two groups, by index."""

    first: int
    second: int
    seeds: tuple[int, int]
    contrasts: tuple[Contrast, ...]  # by each measure of the summary, the leading one first

    @property
    def lead(self) -> Contrast:
        """The contrast by the leading measure."""
        return self.contrasts[0]


@dataclass(frozen=True)
class Summary:
    """All results of one table of groups."""

    grouping: Grouping
    outcomes: Outcomes
    measures: tuple[Measure, ...]  # the leading one first
    why: str  # the leading measure leads
    threshold: float | None
    reference: int
    best: int  # the group with the highest mean rank by the leading measure
    order: tuple[int, ...]  # the groups, the best first
    rows: tuple[Row, ...]  # in the order of the runs
    pairs: tuple[Pair, ...]
    tests: int  # number of comparisons for which the p-values of each measure are corrected

    @property
    def metrics(self) -> tuple[str, ...]:
        """The compared metrics."""
        return self.outcomes.metrics

    def contrast(self, group: int, other: int, measure: int = 0) -> Contrast | None:
        """The contrast of `group` with `other`, with the probability that `group` is better; None if not compared."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (other, group):
                return pair.contrasts[measure]
            if (pair.first, pair.second) == (group, other):
                return pair.contrasts[measure].mirrored
        return None


def summarise(grouping: Grouping, found: Outcomes, threshold: float | None, reference: int) -> Summary:
    """Compute all rows and pairs."""
    groups = [strata for _, strata in found.groups]
    chosen, why = measures(found, threshold)
    points = scores(groups, chosen[0])
    order = sorted(range(len(groups)), key=lambda index: -points[index])
    pairs, tests = _pairs(groups, chosen, order[0], reference)
    return Summary(
        grouping=grouping,
        outcomes=found,
        measures=chosen,
        why=why,
        threshold=threshold,
        reference=reference,
        best=order[0],
        order=tuple(order),
        rows=tuple(_row(group, strata, found.metrics) for group, strata in found.groups),
        pairs=tuple(pairs),
        tests=tests,
    )


def _row(group: Group, strata: Strata, metrics: Sequence[str]) -> Row:
    runs = group.runs
    steps = of_seeds(strata, lambda outcome: outcome.steps)
    return Row(
        group=group,
        seeds=sum(map(len, strata.values())),
        failed=sum(outcome.seed.error is not None for stratum in strata.values() for outcome in stratum),
        finals={metric: estimate(interquartile_mean, final_measure(metric).values(strata)) for metric in metrics},
        solved=fraction([np.isfinite(stratum) for stratum in steps]),
        episodes=median(of_seeds(strata, lambda outcome: outcome.episodes)),
        steps=median(steps),
        steps_per_second=middle.median(run.env_steps / max(run.wall_time_s, 1e-9) for run in runs),
        wall_time_s=middle.median(run.wall_time_s for run in runs),
    )


def _pairs(groups: Sequence[Strata], chosen: Sequence[Measure], best: int, reference: int) -> tuple[list[Pair], int]:
    """All pairs, those with the reference first; of many groups those with the best and the reference only.

    The best group is chosen by its values. Pairs with it are therefore corrected for all pairs of groups.
    """
    indices = sorted(range(len(groups)), key=lambda index: index != reference)
    every = list(combinations(indices, 2))
    many = len(groups) > MOST_GROUPS_IN_PAIRS
    pairs = [_pair(groups, *pair, chosen) for pair in every if not many or {best, reference} & set(pair)]
    tested = [index for index, pair in enumerate(pairs) if not math.isnan(pair.lead.p)]
    tests = len(every) if many else len(tested)
    for number in range(len(chosen)):
        raw = [pairs[index].contrasts[number].p for index in tested]
        corrected = [min(1.0, tests * p) for p in raw] if many else holm(raw)
        for index, p in zip(tested, corrected, strict=True):
            pairs[index] = _judged(pairs[index], number, p)
    least = min((_least_p(groups, pairs[index]) for index in tested), default=1.0)
    if least * tests >= WEAK:
        pairs = [_with_too_few(pair) for pair in pairs]
    return pairs, tests


def _pair(groups: Sequence[Strata], first: int, second: int, chosen: Sequence[Measure]) -> Pair:
    """The contrasts of a pair, with p-values that are not corrected."""
    x, y = _shared(groups[first], groups[second])
    seeds = sum(map(len, x.values())), sum(map(len, y.values()))
    if not x:
        return Pair(first, second, seeds, (Contrast(NOTHING, math.nan, "nothing in common"),) * len(chosen))
    contrasts = []
    for measure in chosen:
        of_x, of_y = measure.values(x), measure.values(y)
        improvement = probability_of_improvement(of_y, of_x)
        if min(seeds) < FEWEST_SEEDS or least_p(of_x, of_y) >= WEAK:
            contrasts.append(Contrast(improvement, math.nan, "too few seeds"))
        else:
            contrasts.append(Contrast(improvement, permutation_p(of_x, of_y), "none"))
    return Pair(first, second, seeds, tuple(contrasts))


def _shared(first: Strata, second: Strata) -> tuple[Strata, Strata]:
    """The strata that both groups have, in one order."""
    names = [name for name in first if name in second]
    return {name: first[name] for name in names}, {name: second[name] for name in names}


def _least_p(groups: Sequence[Strata], pair: Pair) -> float:
    x, y = _shared(groups[pair.first], groups[pair.second])
    return least_p([np.zeros(len(seeds)) for seeds in x.values()], [np.zeros(len(seeds)) for seeds in y.values()])


def _judged(pair: Pair, number: int, p: float) -> Pair:
    """The pair with a corrected p-value of one of its contrasts."""
    contrasts = list(pair.contrasts)
    contrasts[number] = replace(contrasts[number], p=p, evidence=evidence_of(p))
    return replace(pair, contrasts=tuple(contrasts))


def evidence_of(p: float) -> Evidence:
    """The grade of a corrected p-value."""
    return "clear" if p < CLEAR else "weak" if p < WEAK else "none"


def _with_too_few(pair: Pair) -> Pair:
    """The pair where no difference, however large, could pass the correction for the number of comparisons."""
    if pair.lead.evidence == "nothing in common":
        return pair
    return replace(pair, contrasts=tuple(replace(one, evidence="too few seeds") for one in pair.contrasts))
