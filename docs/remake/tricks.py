"""What the tricks around a policy gradient buy or cost, from docs/results/tricks_NAME.csv."""

from __future__ import annotations

import numpy as np

from benchmarks.ladder.measure import Measurements, Result
from benchmarks.ladder.rungs import Ladder
from benchmarks.tricks.figure import mean_over_the_run, measured_file, over_the_run
from benchmarks.tricks.settings import CARTPOLE, ENVIRONMENTS
from docs.remake.artefact import Artefact, table
from pg_experiments.comparison.statistics import estimate, fraction, median, probability_of_improvement


def values() -> dict[str, str]:
    return {f"tricks.{environment.name}": _table(environment) for environment in ENVIRONMENTS}


def _table(environment: Ladder) -> str:
    measured = Measurements(measured_file(environment))
    found = {
        rung.name: measured.of(rung.name, environment.learning_rates[0], environment.shown_seeds)
        for rung in environment.rungs
    }
    without = over_the_run(found[environment.rungs[0].name])
    solves = environment is CARTPOLE
    rows = []
    for place, rung in enumerate(environment.rungs):
        results = found[rung.name]
        mean = mean_over_the_run(results)
        better = probability_of_improvement([over_the_run(results)], [without])
        rows.append(
            (
                rung.title,
                *(_solved(results) if solves else _last(results)),
                f"{mean.value:.0f} ({mean.low:.0f} to {mean.high:.0f})",
                f"{better.value:.2f} ({better.low:.2f} to {better.high:.2f})" if place else "",
            )
        )
    head = (
        "",
        *(("solved", "steps to 475") if solves else (f"last {environment.window} episodes",)),
        "mean return over the run",
        "P(better than none)",
    )
    return table(head, rows)


def _last(results: list[Result]) -> tuple[str]:
    """The mean return at the end of the run."""
    mean = estimate(np.mean, [np.array([result.final_return for result in results])])
    return (f"{mean.value:.0f} ({mean.low:.0f} to {mean.high:.0f})",)


def _solved(results: list[Result]) -> tuple[str, str]:
    """The share of seeds that is solved, and the steps until then."""
    steps = np.array([np.inf if np.isnan(result.solved_after) else result.solved_after for result in results])
    share, half = fraction([np.isfinite(steps)]), median([steps])
    middle, low, high = (f"{end / 1000:.1f} k" if np.isfinite(end) else "never" for end in half)
    solved = f"{np.isfinite(steps).sum()} of {len(steps)} ({share.low:.2f} to {share.high:.2f})"
    return solved, f"{middle} ({low} to {high})"


ARTEFACT = Artefact("tricks", ("python -m benchmarks.tricks",), values=values)  # it trains what the files do not have
