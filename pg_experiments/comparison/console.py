"""Terminal output of a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pg_experiments.comparison.comparison import Comparison
from pg_experiments.comparison.excluded import listed
from pg_experiments.comparison.records import Run
from pg_experiments.comparison.table import LEGEND, has_matrix, rich_tables
from pg_experiments.support import terminal as support
from pg_experiments.support.errors import one_line

MOST_LINES = 20
WIDE = 200  # columns where the output is not a terminal, so that lines are not wrapped


def show(comparison: Comparison) -> None:
    """Print the title, the headline, warnings, tables, the first note, the fixed choices and the excluded runs."""
    console = terminal()
    console.print(comparison.title, markup=False, style="bold", soft_wrap=True)
    for sentence in comparison.headline:
        console.print(f"• {sentence}", markup=False, soft_wrap=True)
    for warning in comparison.warnings:
        console.print(f"! {warning}", markup=False, style="yellow", soft_wrap=True)
    tables = [
        (f"{factor.key}, averaged over {', '.join(factor.others)}", factor.summary) for factor in comparison.factors
    ]
    tables.append(("Configurations, the best first" if tables else "", comparison.configurations))
    for heading, summary in tables:
        console.print(f"\n{heading}".rstrip(), markup=False, style="bold", soft_wrap=True)
        for table in rich_tables(summary, console.width):
            console.print(table)
    legend = [LEGEND] if any(has_matrix(summary) for _, summary in tables) else []
    choices = [f"{key}={value}" for key, value in comparison.fixed.items() if "." not in key and value != "null"]
    for note in [*comparison.notes[:1], *legend, f"Alike in all: {', '.join(choices)}"]:
        console.print(note, markup=False, style="dim", soft_wrap=True)
    show_lists(comparison.failed, comparison.excluded)


def show_lists(failed: Sequence[tuple[Run, str]], excluded: Sequence[tuple[Run, str]]) -> None:
    """Print the failed seeds that are in the table, and the runs that are not, each with its reason."""
    console = terminal()
    for heading, runs in listed(failed, excluded).items():
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
