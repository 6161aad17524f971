"""Pathwise gradients against those of the score function, from docs/results/differentiable_NAME.csv."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.differentiable import jumps, solving, springs, swing_ups, variance
from benchmarks.differentiable.settings import JUMPS, TITLES, VARIANCE
from docs.remake.artefact import Artefact, table
from pg_experiments.comparison.statistics import fraction, median


def values() -> dict[str, str]:
    found = {}
    for environment in swing_ups.ENVIRONMENTS:
        found[f"differentiable.{environment}"] = _swing_up(environment)
        found[f"differentiable.{environment}_ratios"] = _swing_up_ratios(environment)
    found |= {"differentiable.springs": _springs(), "differentiable.springs_ratios": _ratios()}
    return found | _jumps() | {f"differentiable.{problem}": _variance(problem) for problem in variance.PROBLEMS}


def _swing_up(environment: str) -> str:
    """Seeds that reached each level and their steps, and the best mean return of tests, of each algorithm."""
    learned, levels = solving.read(swing_ups.FILE), swing_ups.LEVELS[environment]
    rows = []
    for name, title in TITLES.items():
        seeds = learned[name, environment]
        best = median([np.array([max(one.returns) for one in seeds])])
        reached = (text for level in levels for text in _reached(solving.steps(seeds, level)))
        rows.append((title, *reached, f"{best.value:.0f} ({best.low:.0f} to {best.high:.0f})"))
    heads = (head for level in levels for head in (f"> reached {level:.0f}", "> steps, median"))
    return table(("", *heads, "> best mean return, median"), rows)


def _swing_up_ratios(environment: str) -> str:
    """PPO's median steps divided by those of backpropagation, of the levels that both reach."""
    learned, found = solving.read(swing_ups.FILE), []
    for level in swing_ups.LEVELS[environment]:
        own, of_ppo = (np.median(solving.steps(learned[name, environment], level)) for name in ("pathwise", "ppo"))
        if np.isfinite([own, of_ppo]).all():
            found.append(f"{of_ppo / own:.1f}")
    return " and ".join(found)


def _reached(steps: np.ndarray) -> tuple[str, str]:
    """The share of seeds with finite steps, and the median of the steps."""
    share = fraction([np.isfinite(steps)])
    return f"{np.isfinite(steps).sum()} of {len(steps)} ({share.low:.2f} to {share.high:.2f})", _in_thousands(steps)


def _in_thousands(steps: np.ndarray) -> str:
    """The median with its interval; `never` where it is not finite."""
    middle, low, high = (f"{end / 1000:.1f} k" if np.isfinite(end) else "never" for end in median([steps]))
    return f"{middle} ({low} to {high})"


def _springs() -> str:
    """Steps of each algorithm to the threshold, by the number of masses."""
    rows = [(str(masses), *map(_in_thousands, _steps(masses).values())) for masses in springs.MASSES]
    return table(("> masses", *(f"> {title}" for title in TITLES.values())), rows)


def _ratios() -> str:
    """PPO's median steps divided by those of backpropagation, by the number of masses; a bound where it is never."""
    found = []
    for masses in springs.MASSES:
        own, of_ppo = (np.median(_steps(masses)[name]) for name in ("pathwise", "ppo"))
        limit = solving.read(springs.FILE)["ppo", str(masses)][0].steps[-1]
        found.append(f"{of_ppo / own:.0f}" if np.isfinite(of_ppo) else f"more than {limit / own:.0f}")
    return f"{', '.join(found[:-1])} and {found[-1]}"


def _steps(masses: int) -> dict[str, np.ndarray]:
    """Steps of each seed to the threshold, by algorithm."""
    learned, threshold = solving.read(springs.FILE), springs.levels(masses).threshold
    return {name: solving.steps(learned[name, str(masses)], threshold) for name in TITLES}


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
