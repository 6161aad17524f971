"""Outcomes of seeds: final values, and the time until the threshold was reached.

Runs with different limits are compared at the last step that all of them have. A seed whose learning failed is counted
as not solved, with its last value. Otherwise a configuration would look better the more of its seeds fail.
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
    """The outcome of one seed."""

    run: Run
    seed: Seed
    finals: Mapping[str, float]  # metric -> the last value; NaN where there is none
    steps: float  # agent steps until the threshold was reached; inf where it was not
    episodes: float  # likewise
    stopped: bool  # whether it was solved by its own threshold, and stopped


Strata = Mapping[str, tuple[Outcome, ...]]  # by the other settings that differ within a group


@dataclass(frozen=True)
class Outcomes:
    """The groups that have counted seeds, with the outcomes of these, and facts about all groups."""

    metrics: tuple[str, ...]
    groups: tuple[tuple[Group, Strata], ...]
    common_steps: int | None  # the step at which runs of different limits are compared; None: each at its end
    without_value: tuple[Outcome, ...]  # excluded seeds: a metric has no value
    stopped_early: int  # number of seeds that were solved and stopped before they reached the given threshold


def outcomes(groups: Sequence[Group], metrics: Sequence[str], threshold: float | None) -> Outcomes:
    """Compute the outcomes of all seeds. With a threshold of None, each run's own threshold is used."""
    pairs = [pair for group in groups for seeds in group.strata.values() for pair in seeds]
    common = _common_steps(pairs)
    every: list[Outcome] = []
    counted: list[tuple[Group, Strata]] = []
    for group in groups:
        strata = {
            name: tuple(_outcome(run, seed, metrics, threshold, common) for run, seed in seeds)
            for name, seeds in group.strata.items()
        }
        every += [outcome for stratum in strata.values() for outcome in stratum]
        with_values = {name: tuple(filter(_has_values, stratum)) for name, stratum in strata.items()}
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
    """The smallest number of steps of a seed that was neither solved nor failed; None where all limits are equal."""
    if len({run.limits for run, _ in pairs}) < 2:
        return None
    ends = [int(seed.env_steps[-1]) for _, seed in pairs if not (seed.solved or seed.error) and len(seed.env_steps)]
    return min(ends, default=None)


def _outcome(run: Run, seed: Seed, metrics: Sequence[str], threshold: float | None, common: int | None) -> Outcome:
    limit = math.inf if common is None else common
    finals = {metric: _last(seed, metric, limit) for metric in metrics}
    solved = _row_of_solving(seed)
    stopped = solved is not None and bool(seed.env_steps[solved] <= limit)
    if threshold is None:
        row, episodes = solved, float(seed.episodes_to_solve or math.inf)
    else:
        row = _row_above(run, seed, metrics[0], threshold)
        episodes = math.inf if row is None else float(seed.episodes[row])
    if row is None or seed.env_steps[row] > limit:
        return Outcome(run, seed, finals, math.inf, math.inf, stopped)
    return Outcome(run, seed, finals, float(seed.env_steps[row]), episodes, stopped)


def _last(seed: Seed, metric: str, limit: float) -> float:
    """The last value at or before that many steps. An update in which no episode ended may have no value."""
    there = np.isfinite(seed.values[metric]) & (seed.env_steps <= limit)
    return float(seed.values[metric][there][-1]) if there.any() else math.nan


def _row_of_solving(seed: Seed) -> int | None:
    if seed.episodes_to_solve is None:
        return None
    rows = np.flatnonzero(seed.episodes >= seed.episodes_to_solve)
    return int(rows[0]) if len(rows) else None


def _row_above(run: Run, seed: Seed, metric: str, threshold: float) -> int | None:
    """The first row at which the metric reaches the threshold; `mean_return` counts once its window is full."""
    window = run.settings.get("env.window", "") if metric == "mean_return" else ""
    full = seed.episodes >= (float(window) if window.isdecimal() else 0)
    rows = np.flatnonzero(full & (seed.values[metric] >= threshold))
    return int(rows[0]) if len(rows) else None
