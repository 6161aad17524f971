"""Formats numbers, and states the findings of a comparison in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable

from pg_experiments.comparison.statistics import Estimate
from pg_experiments.comparison.summary import FEWEST_SEEDS, MOST_GROUPS_IN_PAIRS, Pair, Summary

MOST_SENTENCES = 10  # with more pairs, pairs with the same verdict share a sentence
RETURNS = ("mean_return", "episodic_return")
MOST_NAMES = 10  # in such a sentence


def number(value: float) -> str:
    """Format a return, or another metric."""
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def whole(value: float) -> str:
    """Format a number of steps or episodes."""
    return "not reached" if math.isinf(value) else f"{value:,.0f}"


def probability(value: float) -> str:
    """Format a fraction or a probability."""
    return f"{value:.2f}"


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def with_interval(estimate: Estimate, write: Callable[[float], str]) -> str:
    """Format an estimate as `value [low, high]`, or as the value where there is no interval."""
    if math.isinf(estimate.low) or math.isnan(estimate.low):
        return write(estimate.value)
    high = "∞" if math.isinf(estimate.high) else write(estimate.high)
    return f"{write(estimate.value)} [{write(estimate.low)}, {high}]"


def findings(summary: Summary) -> list[str]:
    """One sentence on each pair, those with the reference first; fewer sentences where verdicts are equal."""
    if len(summary.rows) == 1:
        return ["There is one configuration, and nothing to compare it with."]
    alike = len(summary.pairs) > 1 and len({(pair.verdict, pair.seeds) for pair in summary.pairs}) == 1
    alike = alike and not any(pair.differs_in_time for pair in summary.pairs)
    if alike and summary.pairs[0].verdict in ("not distinguishable", "too few seeds"):
        return [_of_all(summary, summary.pairs[0])]
    if len(summary.pairs) <= MOST_SENTENCES:
        return [_sentence(summary, pair) + _in_time(summary, pair) for pair in summary.pairs]
    return _by_verdict(summary)


def _of_all(summary: Summary, pair: Pair) -> str:
    """One sentence for all pairs, where none of them can be distinguished."""
    if pair.verdict == "not distinguishable":
        return f"No configuration is distinguishable from another by its final {_what(summary)} with {_seeds(pair)}."
    return f"Nothing can be said of which configuration is better: {_seeds(pair)} cannot tell any difference."


def _by_verdict(summary: Summary) -> list[str]:
    reference, word = _name(summary, summary.reference), better(summary)
    heads = {
        "better": f"{word.capitalize()} than {reference}",
        "worse": f"{'Worse' if word == 'better' else 'Lower'} than {reference}",
        "not distinguishable": f"Not distinguishable from {reference} by the final {_what(summary)}",
        "too few seeds": f"Too few seeds to say anything in comparison with {reference}",
        "nothing in common": f"No other setting in common with {reference}",
    }
    found = []
    for verdict, head in heads.items():
        others = [pair.second for pair in summary.pairs if pair.verdict == verdict]
        others.sort(key=lambda index: -summary.rows[index].finals[summary.metrics[0]].value)
        if others:
            names = "; ".join(_name(summary, index) for index in others[:MOST_NAMES])
            more = len(others) - MOST_NAMES
            rest = f"; and {more} more, which comparison.csv has" if more > 0 else ""
            found.append(f"{head}: {len(others)} of {len(summary.pairs)}, the highest first: {names}{rest}.")
    sooner = [pair for pair in summary.pairs if pair.differs_in_time and pair.sooner > 0.5]
    sooner.sort(key=lambda pair: -pair.sooner)
    if sooner:
        names = "; ".join(_name(summary, pair.second) for pair in sooner[:MOST_NAMES])
        rest = f"; and {len(sooner) - MOST_NAMES} more" if len(sooner) > MOST_NAMES else ""
        found.append(f"At {threshold_of(summary)} sooner than {reference}: {len(sooner)}, as {names}{rest}.")
    return found


def _in_time(summary: Summary, pair: Pair) -> str:
    """A sentence on the group that reaches the threshold in fewer steps; empty without a significant difference."""
    if not pair.differs_in_time:
        return ""
    upper, value = (pair.second, pair.sooner) if pair.sooner > 0.5 else (pair.first, 1 - pair.sooner)
    return (
        f" {_name(summary, upper)} reaches {threshold_of(summary)} in fewer steps, with probability {value:.2f} "
        f"({_p(pair.sooner_p)})."
    )


def _name(summary: Summary, index: int) -> str:
    return summary.rows[index].group.label


def _sentence(summary: Summary, pair: Pair) -> str:
    first, second = _name(summary, pair.first), _name(summary, pair.second)
    seeds = _seeds(pair)
    if pair.verdict in ("better", "worse"):
        upper, lower = (second, first) if pair.verdict == "better" else (first, second)
        value = pair.improvement.value if pair.verdict == "better" else 1 - pair.improvement.value
        return (
            f"{upper} is {better(summary)} than {lower}: a seed of the first {_does_more(summary)} than one of the "
            f"second with probability {value:.2f} ({_p(pair.p)})."
        )
    if pair.verdict == "not distinguishable":
        return (
            f"{first} and {second} are not distinguishable by their final {_what(summary)} with {seeds} ({_p(pair.p)})."
        )
    if pair.verdict == "nothing in common":
        return f"{first} and {second} share no other setting, so they are not compared."
    if min(pair.seeds) < FEWEST_SEEDS:
        return f"Of {first} and {second} nothing can be said with {seeds}."
    return f"{first} and {second}: {seeds} cannot tell any difference."


def better(summary: Summary) -> str:
    """The word for a larger value of the first metric."""
    return "better" if summary.metrics[0] in RETURNS else "higher"


def _what(summary: Summary) -> str:
    return "return" if summary.metrics[0] in RETURNS else summary.metrics[0]


def _does_more(summary: Summary) -> str:
    return "returns more" if summary.metrics[0] in RETURNS else f"has more {summary.metrics[0]}"


def _seeds(pair: Pair) -> str:
    x, y = pair.seeds
    return f"{x} seed{'s' * (x != 1)}" + (" each" if x == y else f" and {y}")


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def notes(summary: Summary) -> list[str]:
    """Notes on how the numbers were computed."""
    found = [
        *_about_what(summary),
        "Final values are interquartile means over seeds. Intervals are 95 % each by itself: stratified bootstrap for "
        f"values, episodes and steps; Wilson's for the fraction solved; a score interval for P({better(summary)}). "
        "With few seeds those of the bootstrap are too narrow: with 10 they hold the true value some 93 times of 100, "
        "with 5 some 90, with 3 some 76 (normally distributed values).",
        _about_comparisons(summary),
        *summary.grouping.notes,
    ]
    return [note for note in found if note]


def _about_what(summary: Summary) -> list[str]:
    found = []
    outcomes = summary.outcomes
    if outcomes.common_steps is not None:
        found.append(
            f"Runs have different limits, so all are compared at {outcomes.common_steps:,} environment steps of a seed,"
            " the least at which one ended unsolved; what came later does not count."
        )
    else:
        found.append("A final value is the last of each seed; one that was solved has stopped and keeps it.")
    found += _about_failures(summary)
    solved = sum(row.seeds * row.solved.value for row in summary.rows)
    if summary.threshold is None and 2 * solved > sum(row.seeds for row in summary.rows):
        found.append("Most seeds were solved and stopped there: how soon says more than their final values.")
    own = "at which a run is solved" if summary.threshold is None else "looked at after each update"
    found.append(f"Episodes and steps are a seed's until {threshold_of(summary)}, {own}; ∞ is never reached.")
    if outcomes.stopped_early:
        found.append(
            f"{outcomes.stopped_early} seeds stopped, solved by their own threshold, before they could reach this one: "
            "for them it says too little."
        )
    if summary.by is not None:
        found.append(_about_strata(summary))
    return found


def _about_failures(summary: Summary) -> list[str]:
    failing = [f"{row.failed} of {row.seeds} of {row.group.label}" for row in summary.rows if row.failed]
    if not failing:
        return []
    more = f"; and of {len(failing) - MOST_NAMES} more" if len(failing) > MOST_NAMES else ""
    return [
        f"Seeds failed: {'; '.join(failing[:MOST_NAMES])}{more}. They count with the last value that they had, as "
        "never at the threshold unless they were before, and are listed with what went wrong."
    ]


def threshold_of(summary: Summary) -> str:
    """The threshold with its metric; with several thresholds of runs, "the run's own threshold"."""
    if summary.threshold is not None:
        return f"{summary.metrics[0]} {summary.threshold:g}"
    own = {run.settings.get("env.threshold", "null") for row in summary.rows for run in row.group.runs}
    return f"mean_return {own.pop()}" if len(own) == 1 and "null" not in own else "the run's own threshold"


def _about_strata(summary: Summary) -> str:
    names = [set(row.group.strata) for row in summary.rows]
    text = f"Grouped by {summary.by}; the other settings are strata, each resampled by itself."
    if any(other != names[0] for other in names):
        text += " Not every group has the same other settings: only shared ones count in a probability of improvement,"
        text += " all of them in the other columns."
    return text


def _about_comparisons(summary: Summary) -> str:
    if not summary.tested:
        return ""
    against = "all pairs" if len(summary.rows) <= MOST_GROUPS_IN_PAIRS else "each with the reference"
    made = "1 comparison was made" if summary.tested == 1 else f"{summary.tested} comparisons were made"
    return (
        f"{made} ({against}); p-values are those of exact permutation tests, "
        "corrected for the number of comparisons by Holm's method, and below 0.05 counts as a difference. Final values "
        "and steps to the threshold are two questions, each corrected by itself."
    )
