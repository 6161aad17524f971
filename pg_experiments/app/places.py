"""Checks of the directories of runs and sweeps, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pg_experiments.support.errors import UserError


def refuse_directory(key: str, value: object) -> None:
    """Refuse an empty directory name, which means the current directory, and the root of the file system.

    Raises:
        UserError: the value is empty, null or the root.
    """
    if value is None or not str(value).strip():
        given = "null" if value is None else value
        raise UserError(f"{key}={given}: expected a directory; the current one is {key}=.")
    if Path(str(value)).resolve() == Path("/"):
        raise UserError(f"{key}={value}: is the root of the file system; expected a directory below it")


def refuse_one_place(subdirectory: object, jobs: Sequence[object] | None) -> None:
    """Refuse a sweep whose jobs would all have the same directory.

    Args:
        subdirectory: `hydra.sweep.subdir` before its interpolations are resolved.
        jobs: the jobs of the sweep; None where they are not known beforehand.

    Raises:
        UserError: the subdirectory is empty, or the same for several jobs.
    """
    key = "hydra.sweep.subdir"
    expected = f"expected what differs between jobs, as {key}='${{hydra.job.num}}'"
    if subdirectory is None or str(subdirectory).strip(" ./") == "":
        raise UserError(f"{key}={'null' if subdirectory is None else subdirectory}: is no name; {expected}")
    if "${" not in str(subdirectory) and (jobs is None or len(jobs) > 1):
        raise UserError(f"{key}={subdirectory}: is the same for all jobs; {expected}")
