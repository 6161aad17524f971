"""Console and tables of the reports on jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from pg_experiments.support.terminal import Terminal, terminal

PLAIN_WIDTH = 160  # characters of a table where the output is not a terminal


def console(*, stderr: bool = False, quiet: bool = False) -> Terminal:
    """A console without markup that does not wrap lines."""
    return terminal(PLAIN_WIDTH, stderr=stderr, quiet=quiet, markup=False, soft_wrap=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table with headings, in which long cells are folded."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
