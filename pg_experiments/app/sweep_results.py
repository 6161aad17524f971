"""Table of a sweep's results, one row per configuration, and the commands that follow a sweep."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from rich.table import Table

from pg_experiments.app.sweep_jobs import Job
from pg_experiments.app.sweep_seeds import configuration_of
from pg_experiments.app.tables import table
from pg_experiments.support.interruption import deferred
from pg_experiments.support.run_directory import read_result
from pg_experiments.support.shell import browse_command, from_here
from pg_experiments.support.terminal import duration

MOST_ROWS = 40
# TensorBoard's page on the runs that are in no other, which are means over seeds, with one chart on top
MEANS = {
    "runFilter": "^[^/]*$",
    "smoothing": "0",
    "pinnedCards": '[{"plugin":"scalars","tag":"charts/mean_return"}]',
}


class Outcome(NamedTuple):
    """The jobs of one configuration."""

    overrides: frozenset[str]  # without seeds
    solved: list[bool]  # of each seed
    returns: list[float]  # final return of each seed that has one
    seconds: float  # of all its jobs

    @property
    def mean(self) -> float:
        """The mean final return; −∞ without one."""
        return statistics.fmean(self.returns) if self.returns else -math.inf


def outcomes_of(jobs: Sequence[Job]) -> list[Outcome]:
    """The results of the jobs that are done, by configuration, in the order of the jobs."""
    found: dict[frozenset[str], Outcome] = {}
    for job in jobs:
        result = read_result(job.directory) if job.state == "done" else None
        if result is None:
            continue
        overrides = configuration_of(job.overrides)
        seeds = [seed for seed in _list(result.get("seeds")) if isinstance(seed, dict)]
        before = found.get(overrides, Outcome(overrides, [], [], 0.0))
        found[overrides] = Outcome(
            overrides,
            [*before.solved, *(seed.get("solved") is True for seed in seeds)],
            [*before.returns, *(value for seed in seeds for value in _numbers(seed.get("final_return")))],
            before.seconds + sum(_numbers(result.get("wall_time_s"))),
        )
    return list(found.values())


def results_table(outcomes: Sequence[Outcome]) -> Table:
    """A row per configuration: what differs, seeds solved, mean final return, time."""
    shared = frozenset.intersection(*(outcome.overrides for outcome in outcomes))
    rows = [
        (
            " ".join(sorted(outcome.overrides - shared)) or "all",
            f"{sum(outcome.solved)}/{len(outcome.solved)}",
            _mean_in_words(outcome.returns),
            duration(outcome.seconds),
        )
        for outcome in outcomes
    ]
    return table(("what differs", "solved", "mean final return (95 % interval)", "time"), rows)


def next_commands(sweep: Path, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The commands that follow a sweep, by purpose."""
    commands = {
        "compare": f"python -m pg_experiments.compare sweep={from_here(sweep)}",
        "curves": browse_command(sweep),
    }
    if any(len(outcome.solved) > 1 for outcome in outcomes):
        commands["means"] = f"http://localhost:6006/?{urlencode(MEANS)}#timeseries"
    return commands


def _mean_in_words(returns: Sequence[float]) -> str:
    if not returns:
        return "none"
    if len(returns) == 1:
        return f"{returns[0]:.1f}"
    with deferred():  # imported here, since most commands do without SciPy
        import numpy as np

        from pg_experiments.comparison.statistics import estimate
    value, low, high = estimate(np.mean, [np.array(returns)])
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _numbers(value: object) -> list[float]:
    """The value in a list, if it is a finite number; result.json is not trusted."""
    return [float(value)] if isinstance(value, int | float) and math.isfinite(value) else []


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
