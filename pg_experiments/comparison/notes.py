"""Warnings about the runs of a comparison, and notes on how its numbers were computed."""

from __future__ import annotations

from collections.abc import Sequence

from pg_experiments.comparison.factors import Factor
from pg_experiments.comparison.made_with import differing
from pg_experiments.comparison.measures import threshold_name
from pg_experiments.comparison.summary import MOST_GROUPS_IN_PAIRS, Summary

MOST_NAMES = 10  # in a sentence


def warnings(summary: Summary, factors: Sequence[Factor]) -> list[str]:
    """What a reader must know before believing a comparison."""
    outcomes, grouping = summary.outcomes, summary.grouping
    found = []
    if grouping.set_aside:
        count = len(grouping.set_aside)
        found.append(f"{count} run{'s' * (count != 1)} not counted; the reasons are listed below.")
    if grouping.repeated:
        found.append(f"Of {grouping.repeated} runs the configuration and a seed were run before; the first run counts.")
    failing = [f"{row.failed} of {row.seeds} of {row.label}" for row in summary.rows if row.failed]
    if failing:
        more = f"; and of {len(failing) - MOST_NAMES} more" if len(failing) > MOST_NAMES else ""
        found.append(
            f"Seeds failed: {'; '.join(failing[:MOST_NAMES])}{more}. They count with the last value that they had, as "
            "never at the threshold unless they were before, and are listed with what went wrong."
        )
    if outcomes.common_steps is not None:
        found.append(
            f"Runs have different limits, so all are compared at {outcomes.common_steps:,} environment steps of a seed,"
            " the least at which one ended unsolved; what came later does not count."
        )
    if outcomes.stopped_early:
        found.append(
            f"{outcomes.stopped_early} seeds stopped, solved by their own threshold, before they could reach "
            f"{threshold_name(outcomes, summary.threshold)}: for them it says too little."
        )
    uneven = [one.grouping.by for one in [summary, *(factor.summary for factor in factors)] if _is_uneven(one)]
    if uneven:
        found.append(
            f"Not every value of {', '.join(map(str, uneven))} was run with the same other settings. Probabilities and "
            "verdicts use only shared settings; the other columns use all of them."
        )
    runs = {run.path: run.made_with for row in summary.rows for run in row.group.runs}
    return [*found, *differing(list(runs.values()))]


def _is_uneven(summary: Summary) -> bool:
    """Whether the groups of a factor do not have the same strata."""
    names = [set(strata) for _, strata in summary.outcomes.groups]
    return summary.grouping.by is not None and any(other != names[0] for other in names)


def notes(summary: Summary, factors: Sequence[Factor]) -> list[str]:
    """How the numbers were computed."""
    own = "at which a run is solved" if summary.threshold is None else "looked at after each update"
    found = [
        summary.why,
        f"Episodes and steps are a seed's until {threshold_name(summary.outcomes, summary.threshold)}, {own}; ∞ is "
        "never reached. A final value is the last of each seed; one that was solved has stopped and keeps it.",
        "Final values are interquartile means over seeds, steps and episodes medians. Intervals are 95 % each by "
        "itself: stratified bootstrap for values, episodes and steps; Wilson's for the fraction solved; a score "
        "interval for probabilities. With few seeds those of the bootstrap are too narrow: with 10 they hold the true "
        "value some 93 times of 100, with 5 some 90, with 3 some 76 (normally distributed values).",
        _about_tests(summary),
    ]
    if factors:
        found.append(
            "A factor is compared within each combination of the other settings, and permuted within them. Each factor "
            "is corrected for the pairs of its values. The other settings change its effect if Cochran's Q "
            "has a corrected p-value below 0.1 and the probabilities differ by 0.2 or more."
        )
    return [note for note in found if note]


def _about_tests(summary: Summary) -> str:
    if not summary.tests:
        return ""
    by_holm = len(summary.rows) <= MOST_GROUPS_IN_PAIRS
    method = (
        "Holm's method"
        if by_holm
        else "Bonferroni's method: the pairs with the best and with the reference were tested"
    )
    made = "1 comparison" if summary.tests == 1 else f"{summary.tests} comparisons"
    return (
        f"P-values are those of exact permutation tests, corrected for {made} by {method}. Below 0.01 a difference is "
        "called clear, below 0.1 there is weak evidence, else groups cannot be told apart: with no true difference one "
        "of all comparisons is clear at most 1 time of 100, and weak or clear at most 10 times of 100."
    )
