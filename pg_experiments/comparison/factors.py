"""Factors of a sweep: the values of one key, compared within each combination of the other keys."""

from __future__ import annotations

from dataclasses import dataclass

from pg_experiments.comparison.grouping import Grouping, by_factor
from pg_experiments.comparison.interaction import interaction_p
from pg_experiments.comparison.outcomes import Outcomes, outcomes
from pg_experiments.comparison.permutation import holm
from pg_experiments.comparison.statistics import mean_wins
from pg_experiments.comparison.summary import CLEAR, WEAK, Summary, summarise

SMALL = 0.2  # a difference of probabilities of improvement that is ignored


@dataclass(frozen=True)
class Interaction:
    """Two values of a factor whose difference depends on the other settings."""

    first: int  # index of a group
    second: int
    least: tuple[str, float]  # the other settings with the lowest probability that the second is better, and this
    most: tuple[str, float]  # the other settings with the highest such probability, and this
    p: float  # corrected for the number of pairs of values

    @property
    def clear(self) -> bool:
        """Whether the evidence is clear, not weak."""
        return self.p < CLEAR


@dataclass(frozen=True)
class Factor:
    """One key of a sweep: its values, averaged over the other keys."""

    key: str
    others: tuple[str, ...]  # keys that are averaged over
    summary: Summary  # a group for each value
    interactions: tuple[Interaction, ...]  # those that are too large to ignore


def factors(grouping: Grouping, found: Outcomes, threshold: float | None) -> tuple[Factor, ...]:
    """Each key of which two values occur with the same other settings; none where a single key distinguishes.

    Each factor is a question of its own: p-values are corrected for the pairs of its values.
    """
    if len(grouping.keys) < 2:
        return ()
    made = []
    for key in grouping.keys:
        grouped = by_factor(grouping, key)
        of_key = outcomes(grouped.groups, found.metrics, threshold)
        if _crossed(of_key):
            made.append(one_factor(grouped, summarise(grouped, of_key, threshold, 0)))
    return tuple(made)


def one_factor(grouping: Grouping, summary: Summary) -> Factor:
    """The factor whose values are the groups of a summary."""
    assert grouping.by is not None
    others = tuple(key for key in grouping.keys if key != grouping.by)
    return Factor(grouping.by, others, summary, interactions(summary))


def _crossed(found: Outcomes) -> bool:
    """Whether two groups share a stratum."""
    names = [name for _, strata in found.groups for name in strata]
    return len(names) > len(set(names))


def interactions(summary: Summary) -> tuple[Interaction, ...]:
    """The interactions that are too large to ignore, by the leading measure.

    The p-value of `interaction_p`, corrected for the pairs of values by Holm's method, is below `WEAK`, and the
    probabilities of improvement differ by at least `SMALL` between the other settings.
    """
    tested, p_values = [], []
    for pair in summary.pairs:
        (_, x), (_, y) = (summary.outcomes.groups[index] for index in (pair.first, pair.second))
        names = [name for name in x if name in y]
        of_x, of_y = (summary.measures[0].values({name: of[name] for name in names}) for of in (x, y))
        p = interaction_p(of_y, of_x)
        if p is not None:
            wins = {name: mean_wins([b], [a]) for name, a, b in zip(names, of_x, of_y, strict=True)}
            tested.append((pair, sorted(wins.items(), key=lambda item: item[1])))
            p_values.append(p)
    found = []
    for (pair, sorted_wins), p in zip(tested, holm(p_values), strict=True):
        least, most = sorted_wins[0], sorted_wins[-1]
        if p < WEAK and most[1] - least[1] >= SMALL:
            found.append(Interaction(pair.first, pair.second, least, most, p))
    return tuple(found)
