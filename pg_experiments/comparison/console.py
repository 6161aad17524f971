"""Terminal output of a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pg_experiments.comparison.excluded import FAILED, failed, not_counted
from pg_experiments.comparison.grouping import Grouping
from pg_experiments.comparison.outcomes import Outcomes
from pg_experiments.comparison.records import Run
from pg_experiments.comparison.summary import Summary
from pg_experiments.comparison.table import rich_tables
from pg_experiments.comparison.wording import findings, notes
from pg_experiments.support import terminal as support
from pg_experiments.support.errors import one_line

MOST_LINES = 20
WIDE = 200  # columns where the output is not a terminal, so that lines are not wrapped


def show(summary: Summary) -> None:
    """Print the table, the findings, the notes and the excluded runs."""
    console = terminal()
    for table in rich_tables(summary, console.width):
        console.print(table)
    for finding in findings(summary):
        console.print(f"• {finding}", markup=False, style="bold", soft_wrap=True)
    console.print()
    for note in notes(summary):
        console.print(note, markup=False, style="dim", soft_wrap=True)
    show_not_counted(summary.grouping, summary.outcomes)


def show_not_counted(grouping: Grouping, outcomes: Outcomes) -> None:
    """Print the runs that are not in the table, and the failed seeds that are, each with its reason."""
    _list(FAILED, failed(outcomes))
    _list("Not counted", not_counted(grouping, outcomes))


def _list(heading: str, runs: Sequence[tuple[Run, str]]) -> None:
    console = terminal()
    if runs:
        console.print(f"\n{heading}, {len(runs)}:", style="bold")
    for run, why in runs[:MOST_LINES]:
        console.print(f"  {one_line(str(run.path))}: {why}", markup=False, soft_wrap=True)
    if len(runs) > MOST_LINES:
        console.print(f"  and {len(runs) - MOST_LINES} more, which the report lists")


def show_files(directory: Path, names: Sequence[str]) -> None:
    """Print the names of the files that were written."""
    cwd = Path.cwd()
    shown = directory.relative_to(cwd) if directory.is_relative_to(cwd) else directory
    terminal().print(f"\n{one_line(shlex.quote(str(shown)))}: {', '.join(names)}", markup=False, soft_wrap=True)


def terminal() -> support.Terminal:
    """The console of comparisons and evaluations."""
    return support.terminal(WIDE)
