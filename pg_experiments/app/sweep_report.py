"""Report of a sweep's jobs, read from their directories, so that it does not depend on the launcher."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from pg_experiments.app.composing import Compose
from pg_experiments.app.sweep_jobs import Job, count_jobs
from pg_experiments.app.sweep_results import MOST_ROWS, Outcome, next_commands, outcomes_of, results_table
from pg_experiments.app.tables import console, table
from pg_experiments.support.run_directory import is_busy

WAIT_SECONDS = 0.5  # polling interval for jobs that another process runs


def report(sweep: Path, expected: Sequence[Sequence[str]] | None, compose: Compose) -> bool:
    """Print the report of a sweep: results, jobs that are not done, next commands. Returns whether all jobs are done.

    Args:
        sweep: the sweep's directory.
        expected: the overrides of each job; None if the sweeper chose them.
        compose: composes the config of a job's overrides.
    """
    counted = count_jobs(sweep, expected, compose)
    unfinished = [job for job in counted.jobs if job.state != "done"]
    total = len(counted.jobs) + counted.not_begun
    counts = Counter(job.state for job in counted.jobs) + Counter({"not begun": counted.not_begun})
    others = f"; {counted.others} more here of earlier commands" if counted.others else ""
    good = counts["done"] == total
    outcomes = outcomes_of(counted.jobs)
    if outcomes:
        _print_results(outcomes)
    out = console(stderr=not good)
    out.print(f"sweep of {total} jobs: {', '.join(f'{n} {name}' for name, n in counts.items())}{others}")
    if counted.copies:
        copies = counted.copies.items()
        names = ", ".join(f"{os.path.relpath(copy, sweep)} (of {original.name})" for copy, original in copies)
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
    if outcomes:
        for name, command in next_commands(sweep, outcomes).items():
            console().print(f"  {name:<10}{command}")
    return good


def _print_results(outcomes: Sequence[Outcome]) -> None:
    best = sorted(outcomes, key=lambda outcome: outcome.mean, reverse=True)
    shown = outcomes if len(outcomes) <= MOST_ROWS else best[:MOST_ROWS]
    if len(shown) < len(outcomes):
        console().print(f"the best {len(shown)} of {len(outcomes)} configurations:")
    console().print(results_table(shown))


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
