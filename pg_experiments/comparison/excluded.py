"""Runs and seeds that are excluded from the table, and failed seeds that are included, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pg_experiments.comparison.grouping import Grouping
from pg_experiments.comparison.outcomes import Outcome, Outcomes
from pg_experiments.comparison.records import Run

FAILED = "Failed, and counted with the last value"  # heading of the included seeds whose learning failed


def not_counted(grouping: Grouping, outcomes: Outcomes) -> list[tuple[Run, str]]:
    """The excluded runs, and the runs with excluded seeds, each with the reason."""
    found = [(run, run.problem or "") for run in grouping.set_aside]
    seeds: dict[Path, list[Outcome]] = {}
    for outcome in outcomes.without_value:
        seeds.setdefault(outcome.run.path, []).append(outcome)
    for excluded in seeds.values():
        numbers = ", ".join(_name(outcome) for outcome in excluded)
        by_then = "" if outcomes.common_steps is None else f" within {outcomes.common_steps:,} steps"
        found.append((excluded[0].run, f"seed {numbers} has no value of {' or '.join(outcomes.metrics)}{by_then}"))
    return found


def failed(outcomes: Outcomes) -> list[tuple[Run, str]]:
    """The included seeds whose learning failed, each with the reason."""
    counted = [outcome for _, strata in outcomes.groups for stratum in strata.values() for outcome in stratum]
    return [(o.run, f"seed {o.seed.seed} {o.seed.error}") for o in counted if o.seed.error]


def listed(
    failing: Sequence[tuple[Run, str]], excluded: Sequence[tuple[Run, str]]
) -> dict[str, Sequence[tuple[Run, str]]]:
    """Failed seeds and excluded runs by heading, without empty lists."""
    lists = {FAILED: failing, "Not counted": excluded}
    return {heading: runs for heading, runs in lists.items() if runs}


def _name(outcome: Outcome) -> str:
    return f"{outcome.seed.seed} ({outcome.seed.error})" if outcome.seed.error else str(outcome.seed.seed)
