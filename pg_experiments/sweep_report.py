"""What became of a sweep's jobs, told from their directories: no launcher needs to survive for it."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from pg_experiments.files import Directory, Entry
from pg_experiments.identity import SIDESHOWS
from pg_experiments.run_directory import read_result, state
from pg_experiments.sweep import OVERRIDES, overrides_of
from pg_experiments.terminal import Terminal

PLAIN_WIDTH = 160  # of a table that no terminal shows


class Job(NamedTuple):
    """What a sweep's directory says of a job."""

    directory: Path
    overrides: list[str]
    state: str
    error: str

    @property
    def command(self) -> str:
        """Runs it again by itself, or goes on with it where it is."""
        stopped = self.state in ("interrupted", "killed")
        arguments = [f"resume={os.path.relpath(self.directory)}"] if stopped else self.overrides
        return "python -m pg_experiments.train " + shlex.join(arguments)


def jobs_in(sweep: Path) -> list[Job]:
    """The jobs that have begun, by number."""
    files = Directory(sweep)
    found = []
    for folder, entries in files.walk(lambda _, error: console(stderr=True).print(f"not looked through: {error}")):
        if Entry(".hydra", "folder") in entries and files.has_file(f"{folder}/{OVERRIDES}"):
            found.append(sweep / folder)
            entries.clear()  # a run holds no runs
    found.sort(key=lambda path: (len(path.name.partition("_")[0]), path.name))
    return [
        Job(path, overrides_of(path), state(path), str((read_result(path) or {}).get("error") or "")) for path in found
    ]


def report(sweep: Path, expected: Sequence[Sequence[str]] | None) -> bool:
    """Say how a sweep ended. Returns whether all of its jobs are done.

    Args:
        sweep: its directory.
        expected: the overrides of each of its jobs; None if its sweeper chose them. Of jobs that an earlier command had
            beside these in the same directory, only the number is said.
    """
    wanted = None if expected is None else [_of_the_run(overrides) for overrides in expected]
    everything = jobs_in(sweep)
    jobs = [job for job in everything if wanted is None or _of_the_run(job.overrides) in wanted]
    total = len(jobs) if wanted is None else len(wanted)
    unfinished = [job for job in jobs if job.state != "done"]
    counts = Counter(job.state for job in jobs) + Counter({"not begun": total - len(jobs)})
    others = f"; {len(everything) - len(jobs)} more here of earlier commands" if len(everything) > len(jobs) else ""
    good = counts["done"] == total
    out = console(stderr=not good)
    out.print(f"sweep of {total} jobs: {', '.join(f'{n} {name}' for name, n in counts.items())}{others}")
    if unfinished:
        out.print(_why(sweep, unfinished))
        out.print("each again, by itself:")
        for job in unfinished:
            out.print(job.command)
    if with_failures := [job for job in jobs if job.state == "done" and job.error]:
        out.print("done, but not every seed:")
        out.print(_why(sweep, with_failures))
    if not good and wanted is not None:
        out.print(f"all that is not done: the same command, with hydra.sweep.dir={os.path.relpath(sweep)}")
    return good


def _why(sweep: Path, jobs: Sequence[Job]) -> Table:
    rows = [(os.path.relpath(job.directory, sweep), job.state, job.error) for job in jobs]
    return table(("job", "state", "why"), rows)


def _of_the_run(overrides: Sequence[str]) -> frozenset[str]:
    """Those that make a job this one."""
    others = ("hydra.", "hydra/", *(f"{group}." for group in SIDESHOWS))
    return frozenset(override for override in overrides if not override.lstrip("+~").startswith(others))


def console(stderr: bool = False) -> Console:
    """Where to print: what is printed is shown as it is, and lines are as long as they are."""
    out = Terminal(stderr=stderr, markup=False, highlight=False, soft_wrap=True)
    if not out.is_terminal:
        out.width = PLAIN_WIDTH
    return out


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Columns with headings; a cell that is too long folds."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
