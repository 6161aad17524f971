"""The headline of a comparison: the best configuration, what each factor does, and how many seeds settle the rest.

No sentence says more than the evidence: a corrected p-value below 0.01 is a clear difference, one below 0.1 is weak
evidence, and with any other the groups cannot be told apart. Results that are rounded differently on another machine
move a p-value a little, and then change a sentence by one grade at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pg_experiments.comparison.factors import Factor, Interaction
from pg_experiments.comparison.power import POWER, fewest_seeds, seeds_needed
from pg_experiments.comparison.summary import CLEAR, Pair, Summary
from pg_experiments.comparison.wording import number, short_p, whole

MOST_NAMES = 4  # in a sentence
MOST_PAIRS = 3  # of values of a factor in a sentence; with more, the best value is compared with the others
MOST_SEEDS = 256  # more seeds of each configuration are not recommended


def headline(configurations: Summary, factors: Sequence[Factor], interacting: Sequence[Factor]) -> list[str]:
    """The sentences, the most important one first: the best configuration, or a factor where only factors differ."""
    if len(configurations.rows) == 1:
        return ["There is one configuration, and nothing to compare it with."]
    best, effects = [_best(configurations)], [_effect(factor) for factor in factors if _differs(factor)]
    told = any(pair.lead.evidence in ("clear", "weak") for pair in configurations.pairs)
    found = best + effects if told else effects + best
    found += [_depends(factor, one) for factor in interacting for one in factor.interactions]
    found += [_effect(factor) for factor in factors if not _differs(factor)]
    return [sentence for sentence in [*found, _more_seeds(configurations, factors)] if sentence]


def _best(summary: Summary) -> str:
    """A sentence on the best group and on those that cannot be told from it."""
    measure = summary.measures[0].name
    best, seeds = f"{name(summary, summary.best)} ({_value(summary)})", seeds_of(summary)
    evidence = {pair.lead.evidence for pair in summary.pairs if summary.best in (pair.first, pair.second)}
    if evidence == {"too few seeds"}:
        return f"Too few seeds to show any difference ({seeds}): {best} is ahead by {measure}, perhaps by chance."
    if evidence == {"none"}:
        count = len(summary.rows)
        every = "the two cannot be told apart" if count == 2 else f"none of the {count} can be told from the best"
        return f"By {measure} {every} with {seeds}; ahead, perhaps by chance, is {best}."
    return f"Best by {measure}: {best}, with {seeds}. {_upper(_lead_over(summary))}."


def _lead_over(summary: Summary) -> str:
    """How sure it is that the best group is better than each of the others."""
    rest = len(summary.rows) - 1
    of_grade: dict[str, list[int]] = {}
    for index in summary.order:
        if contrast := summary.contrast(summary.best, index):
            grade = "none" if contrast.evidence == "too few seeds" else contrast.evidence
            of_grade.setdefault(grade, []).append(index)
    claims = {
        "clear": "it is clearly better than",
        "weak": "there is weak evidence that it is better than",
        "none": "it cannot be told from",
    }
    parts = [f"{claim} {_some(summary, of_grade[grade], rest)}" for grade, claim in claims.items() if grade in of_grade]
    return "; ".join(parts)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _some(summary: Summary, indices: Sequence[int], rest: int) -> str:
    """The names of some groups, the best first."""
    if len(indices) == rest and rest > 1:
        return f"any of the other {rest}"
    labels = [name(summary, index) for index in indices[:MOST_NAMES]]
    names = ("; " if any(", " in label for label in labels) else ", ").join(labels)
    more = f" and {len(indices) - MOST_NAMES} more" if len(indices) > MOST_NAMES else ""
    count = f"{len(indices)} of the other {rest} (" if rest > 1 else ""
    return f"{count}{names}{more}{')' if count else ''}"


def name(summary: Summary, index: int) -> str:
    """The label of a group."""
    return summary.rows[index].label


def seeds_of(summary: Summary) -> str:
    """The number of seeds of the groups."""
    counts = {row.seeds for row in summary.rows}
    least, most = min(counts), max(counts)
    if least == most:
        return f"{least} seed{'s' * (least != 1)} each"
    return f"{least} to {most} seeds"


def _value(summary: Summary) -> str:
    row, measure = summary.rows[summary.best], summary.measures[0]
    if measure.metric is None:
        return f"median {whole(row.steps.value)}"
    return number(row.finals[measure.metric].value)


def _differs(factor: Factor) -> bool:
    """Whether there is any evidence that two values of the factor differ."""
    return any(pair.lead.evidence in ("clear", "weak") for pair in factor.summary.pairs)


def _effect(factor: Factor) -> str:
    """A sentence on the values of a factor."""
    summary = factor.summary
    over = " and ".join(factor.others[:MOST_NAMES]) if len(factor.others) <= MOST_NAMES else "the other settings"
    head = f"{factor.key}, averaged over {over}:"
    told = [pair for pair in summary.pairs if pair.lead.evidence in ("clear", "weak")]
    told.sort(key=lambda pair: pair.lead.p)
    if len(told) > MOST_PAIRS:
        return f"{head} {name(summary, summary.best)} is best by {summary.measures[0].name}; {_lead_over(summary)}."
    if told:
        rest = len(summary.pairs) - len(told)
        others = f"; the other {rest} pairs cannot be told apart" if rest > 1 else ""
        return f"{head} {'; '.join(_statement(summary, pair) for pair in told)}{others}."
    if all(pair.lead.evidence == "too few seeds" for pair in summary.pairs):
        return f"{head} too few seeds to show any difference."
    values = (
        " and ".join(name(summary, i) for i in range(2))
        if len(summary.rows) == 2
        else f"its {len(summary.rows)} values"
    )
    return f"{head} {values} cannot be told apart by {summary.measures[0].name}."


def _statement(summary: Summary, pair: Pair) -> str:
    """That one group of a pair is better than the other, with the probability and the p-value."""
    first, second = name(summary, pair.first), name(summary, pair.second)
    contrast = pair.lead if pair.lead.probability.value > 0.5 else pair.lead.mirrored
    upper, lower = (second, first) if contrast is pair.lead else (first, second)
    claim = f"{upper} {summary.measures[0].better} {lower}"
    claim = claim if contrast.evidence == "clear" else f"weak evidence that {claim}"
    return f"{claim} (probability {contrast.probability.value:.2f} for a pair of seeds, {short_p(contrast.p)})"


def _depends(factor: Factor, one: Interaction) -> str:
    summary = factor.summary
    (least, low), (most, high) = one.least, one.most
    second, first = name(summary, one.second), name(summary, one.first)
    how = "depends" if one.clear else "may depend"
    return (
        f"The effect of {factor.key} {how} on the other settings: {second} is better than {first} with probability "
        f"{high:.2f} at {most}, and {low:.2f} at {least} ({short_p(one.p)} for equal probabilities)."
    )


def more_seeds(summary: Summary, index: int) -> float:
    """How many more seeds of each group would probably make a clear difference between the best and this group.

    Returns:
        The number; NaN where the difference is clear, or where the two are not compared.
    """
    contrast = summary.contrast(summary.best, index)
    if contrast is None or contrast.evidence in ("clear", "nothing in common"):
        return math.nan
    needed = seeds_needed(contrast.probability.value, CLEAR / max(1, summary.tests))
    return max(1.0, needed - min(summary.rows[summary.best].seeds, summary.rows[index].seeds))


def _more_seeds(summary: Summary, factors: Sequence[Factor]) -> str:
    """A sentence on the number of seeds that would settle the rest; empty where all is settled."""
    if all(one.lead.evidence == "too few seeds" for one in summary.pairs):
        least = fewest_seeds(CLEAR / max(1, len(summary.pairs)))
        return f"A clear difference needs at least {least} seeds each, and one that is not huge several times as many."
    wanted = [(more_seeds(summary, index), name(summary, index)) for index in summary.order if index != summary.best]
    counted = sorted((count, label) for count, label in wanted if not math.isnan(count))
    near = [(count, label) for count, label in counted if count <= MOST_SEEDS]
    parts = [
        f"some {_rounded(count)} for {factor.key}"
        for factor in factors
        if (count := _more_for_factor(factor)) <= MOST_SEEDS
    ]
    if near:
        least, most = _rounded(near[0][0]), _rounded(near[-1][0])
        some = f"{least} to {most}" if most > least else f"{least}"
        others = near[0][1] if len(near) == 1 else f"{len(near)} others"
        parts.append(f"some {some} to tell the best from {others}")
    found = []
    if parts:
        found.append(
            "More seeds of each configuration for a clear difference, if it is as large as it looks: "
            f"{'; '.join(parts)} (a rough estimate by Noether's formula, with a power of {POWER:.0%})."
        )
    if far := len(counted) - len(near):
        which = "any other" if far == len(wanted) else f"{far} of the others"
        found.append(f"To tell the best from {which} would take more than {MOST_SEEDS}, by the same estimate.")
    return " ".join(found)


def _more_for_factor(factor: Factor) -> float:
    """More seeds of each configuration for a clear difference where there is weak evidence; infinite where not."""
    summary = factor.summary
    weak = [pair for pair in summary.pairs if pair.lead.evidence == "weak"]
    strata = max(len(of) for _, of in summary.outcomes.groups)
    more = [
        (seeds_needed(pair.lead.probability.value, CLEAR / max(1, summary.tests)) - min(pair.seeds)) / strata
        for pair in weak
    ]
    return max(1.0, min(more)) if more else math.inf


def _rounded(count: float) -> int:
    """A number of seeds, rounded up to tens from 20 on, as it is an estimate."""
    return math.ceil(count) if count <= 20 else 10 * math.ceil(count / 10)
