"""What became of a sweep's jobs, told from their directories: no launcher needs to survive for it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table

from pg_experiments.app.composing import Compose
from pg_experiments.app.sweep_jobs import Job, count_jobs
from pg_experiments.support.run_directory import is_busy
from pg_experiments.support.terminal import Terminal, terminal

PLAIN_WIDTH = 160  # of a table that no terminal shows
WAIT_SECONDS = 0.5  # between two looks at a job that another process runs


def report(sweep: Path, expected: Sequence[Sequence[str]] | None, compose: Compose) -> bool:
    """Say how a sweep ended. Returns whether all of its jobs are done.

    Args:
        sweep: its directory.
        expected: the overrides of each of its jobs; None if its sweeper chose them.
        compose: the config of a job's overrides.
    """
    counted = count_jobs(sweep, expected, compose)
    unfinished = [job for job in counted.jobs if job.state != "done"]
    total = len(counted.jobs) + counted.not_begun
    counts = Counter(job.state for job in counted.jobs) + Counter({"not begun": counted.not_begun})
    others = f"; {counted.others} more here of earlier commands" if counted.others else ""
    good = counts["done"] == total
    out = console(stderr=not good)
    out.print(f"sweep of {total} jobs: {', '.join(f'{n} {name}' for name, n in counts.items())}{others}")
    if counted.copies:
        names = ", ".join(f"{os.path.relpath(copy, sweep)} (of {of.name})" for copy, of in counted.copies.items())
        out.print(f"copies of a job, not counted: {names}")
    if unfinished:
        out.print(_why(sweep, unfinished))
        out.print("each again, by itself:")
        for job in unfinished:
            out.print(job.command)
    if with_failures := [job for job in counted.jobs if job.state == "done" and job.error]:
        out.print("done, but not every seed:")
        out.print(_why(sweep, with_failures))
    if not good and expected is not None:
        out.print(f"all that is not done: the same command, with hydra.sweep.dir={os.path.relpath(sweep)}")
    return good


def wait_for_others(sweep: Path, expected: Sequence[Sequence[str]], compose: Compose) -> None:
    """Wait for the jobs of a sweep that other processes run: the same command may run twice at once."""
    while busy := [job.directory for job in count_jobs(sweep, expected, compose).jobs if job.is_busy]:
        names = ", ".join(os.path.relpath(directory, sweep) for directory in busy)
        console().print(f"waiting for what another process runs: {names}")
        while any(is_busy(directory) for directory in busy):
            time.sleep(WAIT_SECONDS)


def _why(sweep: Path, jobs: Sequence[Job]) -> Table:
    rows = [(os.path.relpath(job.directory, sweep), job.state, job.error) for job in jobs]
    return table(("job", "state", "why"), rows)


def console(stderr: bool = False) -> Terminal:
    """Where to print: what is printed is shown as it is, and lines are as long as they are."""
    return terminal(PLAIN_WIDTH, stderr=stderr, markup=False, soft_wrap=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Columns with headings; a cell that is too long folds."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
