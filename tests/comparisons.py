"""What the tests of comparisons share: runs written down by hand, grouped and compared."""

from __future__ import annotations

from pathlib import Path

from benchmarks.run_directories import Curve
from pg_experiments.comparison.grouping import Grouping, find_reference, group
from pg_experiments.comparison.outcomes import outcomes
from pg_experiments.comparison.records import read_runs
from pg_experiments.comparison.summary import Summary, summarise


def curve(*returns: float, steps: int = 100, **columns: float) -> Curve:
    """An update per return, two episodes and so many steps each."""
    return [
        {"env_steps": steps * (i + 1), "episodes": 2 * (i + 1), "mean_return": value, **columns}
        for i, value in enumerate(returns)
    ]


def level(value: float, seeds: int = 5) -> dict[int, Curve]:
    """Seeds that all end near a level."""
    return {seed: curve(10, value + 0.1 * seed) for seed in range(seeds)}


def grouped(directory: Path, by: str | None = None) -> Grouping:
    return group(read_runs([directory], ["mean_return"]), by)


def compared(
    directory: Path,
    *,
    by: str | None = None,
    metrics: tuple[str, ...] = ("mean_return",),
    threshold: float | None = None,
    reference: str | None = None,
) -> Summary:
    grouping = group(read_runs([directory], metrics), by)
    found = outcomes(grouping.groups, metrics, threshold)
    return summarise(grouping, found, threshold, find_reference([g for g, _ in found.groups], reference))


def solved_after(updates: int) -> Curve:
    """A seed that returns 10, and reaches the threshold after so many updates."""
    return curve(*[10.0] * updates, 480.0)


def labels(grouping: Grouping) -> list[str]:
    return [of_group.label for of_group in grouping.groups]
