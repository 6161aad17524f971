"""What each seed came to: its final values, and when it reached the threshold.

Where runs differ in length, by the last step that all of them have. A seed whose learning went wrong counts, as one
that was not solved, with the last value that it had: a configuration must not look better the more of its seeds fail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pg_experiments.comparison.grouping import Group
from pg_experiments.comparison.records import Run, Seed


@dataclass(frozen=True)
class Outcome:
    """One seed."""

    run: Run
    seed: Seed
    finals: Mapping[str, float]  # metric -> the last value; NaN where there is none
    steps: float  # agent steps until the threshold was reached; inf where it was not
    episodes: float  # likewise


Strata = Mapping[str, tuple[Outcome, ...]]  # by what else differs within a group


@dataclass(frozen=True)
class Outcomes:
    """Each group that has seeds that count, with their outcomes; and what to know about all of them."""

    metrics: tuple[str, ...]
    groups: tuple[tuple[Group, Strata], ...]
    common_steps: int | None  # where runs of different length are compared; None: each at its own end
    without_value: tuple[Outcome, ...]  # seeds that do not count, since a metric has no value
    stopped_early: int  # seeds that were solved, and so stopped, before they could reach the threshold asked for


def outcomes(groups: Sequence[Group], metrics: Sequence[str], threshold: float | None) -> Outcomes:
    """The outcomes of all seeds. A threshold of None is each run's own: the episode at which it was solved."""
    pairs = [pair for group in groups for seeds in group.strata.values() for pair in seeds]
    common = _common_steps(pairs)
    every: list[Outcome] = []
    counted: list[tuple[Group, Strata]] = []
    for group in groups:
        strata = {
            name: tuple(_outcome(run, seed, metrics, threshold, common) for run, seed in seeds)
            for name, seeds in group.strata.items()
        }
        every += [outcome for of_stratum in strata.values() for outcome in of_stratum]
        with_values = {name: tuple(filter(_has_values, of_stratum)) for name, of_stratum in strata.items()}
        if any(with_values.values()):
            counted.append((group, {name: kept for name, kept in with_values.items() if kept}))
    return Outcomes(
        metrics=tuple(metrics),
        groups=tuple(counted),
        common_steps=common,
        without_value=tuple(outcome for outcome in every if not _has_values(outcome)),
        stopped_early=sum(threshold is not None and o.seed.solved and math.isinf(o.steps) for o in every),
    )


def _has_values(outcome: Outcome) -> bool:
    return all(math.isfinite(value) for value in outcome.finals.values())


def _common_steps(pairs: Sequence[tuple[Run, Seed]]) -> int | None:
    """Where runs had different limits, the least number of steps at which a seed ended, unsolved and not failed."""
    if len({run.limits for run, _ in pairs}) < 2:
        return None
    ends = [int(seed.env_steps[-1]) for _, seed in pairs if not (seed.solved or seed.error) and len(seed.env_steps)]
    return min(ends, default=None)


def _outcome(run: Run, seed: Seed, metrics: Sequence[str], threshold: float | None, common: int | None) -> Outcome:
    limit = math.inf if common is None else common
    finals = {metric: _last(seed, metric, limit) for metric in metrics}
    if threshold is None:
        row, episodes = _row_of_solving(seed), float(seed.episodes_to_solve or math.inf)
    else:
        row = _row_above(run, seed, metrics[0], threshold)
        episodes = math.inf if row is None else float(seed.episodes[row])
    if row is None or seed.env_steps[row] > limit:
        return Outcome(run, seed, finals, math.inf, math.inf)
    return Outcome(run, seed, finals, float(seed.env_steps[row]), episodes)


def _last(seed: Seed, metric: str, limit: float) -> float:
    """The last value at or before that many steps. An update in which no episode ended may have none of its own."""
    there = np.isfinite(seed.values[metric]) & (seed.env_steps <= limit)
    return float(seed.values[metric][there][-1]) if there.any() else math.nan


def _row_of_solving(seed: Seed) -> int | None:
    if seed.episodes_to_solve is None:
        return None
    rows = np.flatnonzero(seed.episodes >= seed.episodes_to_solve)
    return int(rows[0]) if len(rows) else None


def _row_above(run: Run, seed: Seed, metric: str, threshold: float) -> int | None:
    """The first update at which the metric is there; a mean of the last episodes counts once its window is full."""
    window = run.settings.get("env.window", "") if metric == "mean_return" else ""
    full = seed.episodes >= (float(window) if window.isdecimal() else 0)
    rows = np.flatnonzero(full & (seed.values[metric] >= threshold))
    return int(rows[0]) if len(rows) else None
