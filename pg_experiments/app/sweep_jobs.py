"""Matches the jobs of a sweep's command with the job directories on disk, each counted once."""

from __future__ import annotations

import os
import shlex
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pg_experiments.app.composing import Compose, plain
from pg_experiments.app.sweep import OVERRIDES, overrides_of, place_of
from pg_experiments.support.errors import UserError, printable
from pg_experiments.support.files import Directory, Entry
from pg_experiments.support.identity import SIDESHOWS, identity
from pg_experiments.support.plugins import flags
from pg_experiments.support.run_directory import is_busy, read_result, state


class Job(NamedTuple):
    """A job that has started, as recorded in its directory."""

    directory: Path
    overrides: list[str]
    state: str
    error: str

    @property
    def command(self) -> str:
        """The command that resumes the job, or runs it again."""
        stopped = self.state in ("interrupted", "killed")
        arguments = [f"resume={os.path.relpath(self.directory)}"] if stopped else self.overrides
        return shlex.join(["python", "-m", "pg_experiments.train", *flags(), *arguments])

    @property
    def is_busy(self) -> bool:
        """Whether a process is running it."""
        return self.state != "done" and is_busy(self.directory)


class Counted(NamedTuple):
    """The jobs in a sweep's directory, in relation to one command."""

    jobs: list[Job]  # jobs of the command that have started
    not_begun: int  # jobs of the command that have not started
    copies: dict[Path, Path]  # duplicate directory of a job -> the directory that counts
    others: int  # jobs of other commands


def count_jobs(sweep: Path, expected: Sequence[Sequence[str]] | None, compose: Compose) -> Counted:
    """Find each job of a command by its overrides, or by its configuration's identity where these are ambiguous.

    Args:
        sweep: the sweep's directory.
        expected: the overrides of each job; None where a sweeper chose them, so that all jobs found count.
        compose: composes the config of a job's overrides.
    """
    found = _jobs_in(sweep)
    if expected is None:
        return Counted(found, 0, {}, 0)
    by_overrides: dict[frozenset[str], list[Job]] = defaultdict(list)
    for each in found:
        by_overrides[_of_the_run(each.overrides)].append(each)
    counted: dict[Path, Job] = {}
    copies: dict[Path, Path] = {}
    not_begun = set()
    for key, overrides in {_of_the_run(overrides): overrides for overrides in expected}.items():
        candidates = by_overrides[key]
        alone = candidates[0] if len(candidates) == 1 else None
        job = alone or _by_identity(sweep, overrides, compose, candidates)
        if job is None:
            not_begun.add(key)
            continue
        counted[job.directory] = job
        copies |= {other.directory: job.directory for other in candidates if other.directory != job.directory}
    copies = {copy: original for copy, original in copies.items() if copy not in counted}
    return Counted(list(counted.values()), len(not_begun), copies, len(found) - len(counted.keys() | copies.keys()))


def _by_identity(sweep: Path, overrides: Sequence[str], compose: Compose, candidates: Sequence[Job]) -> Job | None:
    """The job that the sweep's index has for a configuration; without an entry, a candidate, preferably a done one.

    The overrides of equal configurations may differ: `seed=0` or its default, 0.1 or 1e-1.
    """
    nowhere = sweep / ".nowhere"
    try:
        place = place_of(sweep, identity(plain(compose(overrides))), otherwise=nowhere)
    except UserError:  # another configuration is there now
        place = nowhere
    if place != nowhere and Directory(sweep).has_file(f"{os.path.relpath(place, sweep)}/{OVERRIDES}"):
        return _job_in(place)
    return next((job for job in candidates if job.state == "done"), next(iter(candidates), None))


def _jobs_in(sweep: Path) -> list[Job]:
    """The jobs that have started, in order of their numbers."""
    files = Directory(sweep)
    found = []
    for folder, entries in files.walk(
        lambda _, error: print(printable(f"not looked through: {error}"), file=sys.stderr)
    ):
        if Entry(".hydra", "folder") in entries and files.has_file(f"{folder}/{OVERRIDES}"):
            found.append(sweep / folder)
            entries.clear()  # runs are not nested
    return [_job_in(path) for path in sorted(found, key=lambda path: (len(path.name.partition("_")[0]), path.name))]


def _job_in(path: Path) -> Job:
    return Job(path, overrides_of(path), state(path), str((read_result(path) or {}).get("error") or ""))


def _of_the_run(overrides: Sequence[str]) -> frozenset[str]:
    """The overrides that are part of a run's identity."""
    others = ("hydra.", "hydra/", *(f"{group}." for group in SIDESHOWS))
    return frozenset(override for override in overrides if not override.lstrip("+~").startswith(others))
