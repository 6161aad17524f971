"""Measures by which groups are compared, and the rule for the one that leads.

The leading measure is chosen from all seeds together, without regard to which group a seed belongs to. Permutations of
seeds between groups do not change the choice. The permutation test is therefore exact for the chosen measure, and its
rate of false alarms is that of a measure chosen beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pg_experiments.comparison.outcomes import Outcome, Outcomes, Strata

RETURNS = ("mean_return", "episodic_return")


@dataclass(frozen=True)
class Measure:
    """One number of each seed, of which more is better."""

    name: str  # as in "by final return"
    better: str  # as in "A {better} B"
    metric: str | None  # column of metrics.csv whose last value counts; None: steps to the threshold, negated

    def values(self, strata: Strata) -> list[np.ndarray]:
        """The number of each seed, by stratum; −inf where the threshold was not reached."""
        metric = self.metric
        if metric is None:
            return of_seeds(strata, lambda outcome: -outcome.steps)
        return of_seeds(strata, lambda outcome: outcome.finals[metric])


def of_seeds(strata: Strata, value: Callable[[Outcome], float]) -> list[np.ndarray]:
    """One number of each seed, by stratum."""
    return [np.array([value(outcome) for outcome in seeds]) for seeds in strata.values()]


def measures(found: Outcomes, threshold: float | None) -> tuple[tuple[Measure, ...], str]:
    """The measures, the leading one first, and the reason why it leads.

    Steps to the threshold lead where the first metric is a return, at least half of all seeds were solved and stopped
    there, and at least half reached the threshold. The final return of a seed that was solved is that of the moment at
    which it stopped, so it says little. Otherwise final values lead.
    """
    metric = found.metrics[0]
    seeds = [outcome for _, strata in found.groups for stratum in strata.values() for outcome in stratum]
    stopped, reached = (sum(map(true, seeds)) for true in (lambda o: o.stopped, lambda o: np.isfinite(o.steps)))
    final = final_measure(metric)
    if not reached:
        return (final,), ""
    at = threshold_name(found, threshold)
    steps = Measure(f"steps to {at}", f"reaches {at} in fewer steps than", None)
    if metric not in RETURNS:
        return (final, steps), f"The {final.name} leads, as metric={metric} was asked for."
    count = f"{stopped} of {len(seeds)} seeds"
    if 2 * min(stopped, reached) >= len(seeds):
        return (steps, final), (
            f"The {steps.name} lead: {count} stopped when they were solved, so their final returns are much alike and "
            "say little."
        )
    return (final, steps), f"The final return leads: {count} were solved, fewer than half."


def final_measure(metric: str) -> Measure:
    """The last value of a column of metrics.csv."""
    name = f"final {'return' if metric in RETURNS else metric}"
    return Measure(name, f"has a higher {name} than", metric)


def threshold_name(found: Outcomes, threshold: float | None) -> str:
    """The threshold with its metric; with several thresholds of runs, "the run's own threshold"."""
    if threshold is not None:
        return f"{found.metrics[0]} {threshold:g}"
    own = {run.settings.get("env.threshold", "null") for group, _ in found.groups for run in group.runs}
    return f"mean_return {own.pop()}" if len(own) == 1 and "null" not in own else "the run's own threshold"


def scores(groups: Sequence[Strata], measure: Measure) -> list[float]:
    """The mean rank of each group's seeds among all seeds of a stratum, from 0 to 1, averaged over its strata."""
    everyone: dict[str, list[np.ndarray]] = {}
    own: list[dict[str, np.ndarray]] = []
    for strata in groups:
        own.append(dict(zip(strata, measure.values(strata), strict=True)))
        for name, values in own[-1].items():
            everyone.setdefault(name, []).append(values)
    pooled = {name: np.sort(np.concatenate(values)) for name, values in everyone.items()}
    return [float(np.mean([_ranks(values, pooled[name]).mean() for name, values in of.items()])) for of in own]


def _ranks(values: np.ndarray, pooled: np.ndarray) -> np.ndarray:
    """The fraction of the sorted pool below each value; ties count half."""
    return (np.searchsorted(pooled, values, "left") + np.searchsorted(pooled, values, "right")) / (2 * len(pooled))
