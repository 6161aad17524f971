"""What is not in the table, and what in it has failed, each with its reason: nothing is left out in silence."""

from __future__ import annotations

from pathlib import Path

from pg_experiments.comparison.grouping import Grouping
from pg_experiments.comparison.outcomes import Outcome, Outcomes
from pg_experiments.comparison.records import Run

FAILED = "Failed, and counted with the last value"  # the heading of seeds in the table whose learning went wrong


def not_counted(grouping: Grouping, outcomes: Outcomes) -> list[tuple[Run, str]]:
    """Runs, and runs with seeds, that are not in the table, each with the reason."""
    found = [(run, run.problem or "") for run in grouping.set_aside]
    seeds: dict[Path, list[Outcome]] = {}
    for outcome in outcomes.without_value:
        seeds.setdefault(outcome.run.path, []).append(outcome)
    for of_run in seeds.values():
        numbers = ", ".join(_name(outcome) for outcome in of_run)
        by_then = "" if outcomes.common_steps is None else f" within {outcomes.common_steps:,} steps"
        found.append((of_run[0].run, f"seed {numbers} has no value of {' or '.join(outcomes.metrics)}{by_then}"))
    return found


def failed(outcomes: Outcomes) -> list[tuple[Run, str]]:
    """The seeds whose learning went wrong and that are in the table all the same, each with the reason."""
    counted = [o for _, strata in outcomes.groups for of_stratum in strata.values() for o in of_stratum]
    return [(o.run, f"seed {o.seed.seed} {o.seed.error}") for o in counted if o.seed.error]


def _name(outcome: Outcome) -> str:
    return f"{outcome.seed.seed} ({outcome.seed.error})" if outcome.seed.error else str(outcome.seed.seed)
