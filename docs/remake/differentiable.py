"""Pathwise gradients against those of the score function, from docs/results/differentiable_NAME.csv."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.differentiable import jumps, solving, springs, variance
from benchmarks.differentiable.settings import ENVIRONMENTS, JUMPS, SEEDS, VARIANCE, measured_file
from benchmarks.ladder.measure import Measurements, Result
from benchmarks.ladder.rungs import Ladder
from docs.remake.artefact import Artefact, table
from pg_experiments.comparison.statistics import fraction, median


def values() -> dict[str, str]:
    found = {f"differentiable.{environment.name}": _swing_up(environment) for environment in ENVIRONMENTS}
    found |= {"differentiable.springs": _springs(), "differentiable.springs_ratios": _ratios()}
    return found | _jumps() | {f"differentiable.{problem}": _variance(problem) for problem in variance.PROBLEMS}


def _swing_up(environment: Ladder) -> str:
    measured = Measurements(measured_file(environment))
    rows = []
    for rung in environment.rungs:
        (rate,) = rung.learning_rates
        rows.append((rung.title, *_solved(measured.of(rung.name, rate, SEEDS))))
    return table(("", "> solved", "> steps to the threshold, median", "> last mean return, median"), rows)


def _solved(results: Sequence[Result]) -> tuple[str, str, str]:
    """The share of seeds that is solved, the steps until then, and the last mean return."""
    steps = np.array([np.inf if np.isnan(result.solved_after) else result.solved_after for result in results])
    share = fraction([np.isfinite(steps)])
    solved = f"{np.isfinite(steps).sum()} of {len(steps)} ({share.low:.2f} to {share.high:.2f})"
    last = median([np.array([result.final_return for result in results])])
    return solved, _in_thousands(steps), f"{last.value:.0f} ({last.low:.0f} to {last.high:.0f})"


def _in_thousands(steps: np.ndarray) -> str:
    """The median with its interval; `never` where it is not finite."""
    middle, low, high = (f"{end / 1000:.1f} k" if np.isfinite(end) else "never" for end in median([steps]))
    return f"{middle} ({low} to {high})"


def _springs() -> str:
    """Steps of each algorithm to the threshold, by the number of masses."""
    rows = [(str(masses), *map(_in_thousands, _steps(masses).values())) for masses in springs.MASSES]
    return table(("> masses", *(f"> {title}" for title in springs.TITLES.values())), rows)


def _ratios() -> str:
    """PPO's median steps divided by those of backpropagation, by the number of masses; a bound where it is never."""
    found = []
    for masses in springs.MASSES:
        own, of_ppo = (np.median(_steps(masses)[name]) for name in ("pathwise", "ppo"))
        limit = solving.read(springs.FILE)["ppo", masses][0].steps[-1]
        found.append(f"{of_ppo / own:.0f}" if np.isfinite(of_ppo) else f"more than {limit / own:.0f}")
    return f"{', '.join(found[:-1])} and {found[-1]}"


def _steps(masses: int) -> dict[str, np.ndarray]:
    """Steps of each seed to the threshold, by algorithm."""
    learned, threshold = solving.read(springs.FILE), springs.levels(masses).threshold
    return {name: springs.steps(learned[name, masses], threshold) for name in springs.TITLES}


def _variance(problem: str) -> str:
    """Medians over policies of both variances and of their ratio, with the range over policies of the ratio."""
    rows = [row for row in variance.read(VARIANCE) if row.problem == problem]
    lines = []
    for value in sorted({row.value for row in rows}):
        here = [row for row in rows if row.value == value]
        ratios = np.array([row.pathwise / row.score for row in here])
        lines.append(
            (
                f"{value:.0f}",
                *(f"{np.median([getattr(row, kind) for row in here]):.2g}" for kind in ("pathwise", "score")),
                f"{np.median(ratios):.1g} ({ratios.min():.1g} to {ratios.max():.1g})",
            )
        )
    name = {"horizon": "horizon (steps)", "stiffness": "stiffness (N/m)"}[problem]
    return table((f"> {name}", "> pathwise", "> score function", "> pathwise / score function"), lines)


def _jumps() -> dict[str, str]:
    """Both gradients at the mean action with the largest derivative, and the mean weight of the mixture."""
    found = {}
    for problem in jumps.PROBLEMS:
        rows = [row for row in jumps.read(JUMPS) if row.problem == problem.name]
        most = max(rows, key=lambda row: row.exact)
        found |= {
            f"differentiable.{problem.name}_mean": f"{most.mean:.2f}",
            f"differentiable.{problem.name}_exact": f"{most.exact:.2f}",
            f"differentiable.{problem.name}_pathwise": f"{most.pathwise:.2f} ± {most.pathwise_error:.2f}",
            f"differentiable.{problem.name}_score": f"{most.score:.2f} ± {most.score_error:.2f}",
            f"differentiable.{problem.name}_mixed": f"{most.mixed:.2f}",
            f"differentiable.{problem.name}_weight": f"{most.weight:.2f}",
            f"differentiable.{problem.name}_weights": _range([row.weight for row in rows]),
        }
    return found


def _range(numbers: Sequence[float]) -> str:
    return f"{min(numbers):.2f} to {max(numbers):.2f}"


ARTEFACT = Artefact("differentiable", ("python -m benchmarks.differentiable",), values=values)
