"""A run's directory: one process writes to it at a time, nothing is overwritten unasked, and its result is atomic."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pg_experiments.durable import force, replace_file
from pg_experiments.errors import UserError

RESULT = "result.json"
LOG = "train.log"
LOCK = ".lock"  # held by the process that runs; the operating system lets it go when that process dies
RECORD = ["metrics.csv", "events.out.tfevents.*", "seed_*/events.out.tfevents.*"]  # what grows while a run goes on
CHECKPOINTS = ["checkpoints/update_*.pt", "checkpoints/.update_*.tmp"]
NO_LINKS = [LOCK, RESULT, LOG, "metrics.csv", "checkpoints", ".hydra"]  # what is written to, by name

log = logging.getLogger("pg_experiments")


class RunDirectory:
    """The directory that one run writes to."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, path: Path, *, again: bool = False) -> RunDirectory:
        """Take a directory for a run; of two processes that try at once, one gets it.

        Args:
            path: where; it is made if it is not there.
            again: whether an earlier attempt at the same run may be there; the caller goes on with it, or calls
                `begin_anew`.

        Raises:
            UserError: a run already is there, another process is running it, or nothing can be written there.
        """
        _refuse_links(path)
        lock = FileLock(path / LOCK, timeout=0)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise UserError(f"{path}: another process is running it") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); choose another hydra.run.dir") from None
        if not again and any(file for pattern in [RESULT, *CHECKPOINTS, *RECORD] for file in path.glob(pattern)):
            lock.release()
            raise UserError(
                f"{path}: already holds a run, and a run is never overwritten; "
                "choose another hydra.run.dir (or hydra.sweep.dir)"
            )
        return cls(path, lock)

    def begin_anew(self) -> None:
        """Remove what an earlier attempt has left but its log."""
        for pattern in [RESULT, *CHECKPOINTS, *RECORD]:
            for file in self.path.glob(pattern):
                file.unlink()

    def force_record(self) -> dict[str, int]:
        """Wait until the record is on the disk. Returns how long its files are, as `positions`."""
        files = self._record()
        for path in [*files, *{file.parent for file in files}]:  # a folder has the names of new files
            force(path)
        return self.positions()

    def positions(self) -> dict[str, int]:
        """How long the files of the record are, in bytes, by their names within the directory."""
        return {self._name(file): file.stat().st_size for file in self._record()}

    def rewind(self, positions: Mapping[str, int]) -> None:
        """Take back what was recorded after those positions.

        Only files of the record are touched, whatever names the positions have, and no link is followed.

        Raises:
            UserError: a part of the record that came before is missing.
        """
        now = self.positions()
        for name, size in positions.items():
            if now.get(name, 0) < size:
                raise UserError(f"{self.path / name}: expected at least {size} bytes, which the checkpoint continues")
        for file in self._record():
            if self._name(file) in positions:
                os.truncate(file, positions[self._name(file)])
            else:
                file.unlink()

    def _record(self) -> list[Path]:
        files = [file for pattern in RECORD for file in sorted(self.path.glob(pattern))]
        return [file for file in files if not file.is_symlink()]

    def _name(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix()

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Replace `result.json`: a reader sees the old one or the new one, whole.

        On a full disk, where there is no room for two, the old one is overwritten.
        """
        text = (json.dumps(result, indent=2, allow_nan=False) + "\n").encode()
        try:
            replace_file(self.path / RESULT, lambda file: file.write(text))
        except OSError:
            if not (self.path / RESULT).exists():
                raise
            with (self.path / RESULT).open("r+b") as file:
                file.write(text)
                file.truncate()

    def open_log(self) -> logging.Handler:
        """Let what is logged go to the run's `train.log`, too, until `close_log`."""
        handler = logging.FileHandler(self.path / LOG, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handler.handleError = _say_nothing  # type: ignore[method-assign]  # on a full disk the run itself speaks
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
        return handler

    def close_log(self, handler: logging.Handler) -> None:
        """Undo `open_log`."""
        log.removeHandler(handler)
        handler.close()

    def write_failure(self, error: BaseException) -> None:
        """Say that the run has failed, unless it has said so itself: the traceback in the log, status and error."""
        result = read_result(self.path) or EMPTY
        if result["status"] != "failed":
            handler = self.open_log()
            log.error("the run failed", exc_info=error)
            self.close_log(handler)
            self.write_result({**result, "status": "failed", "error": f"{type(error).__name__}: {error}"})

    def release(self) -> None:
        """Let another process have it."""
        self._lock.release()


def _refuse_links(path: Path) -> None:
    """A link in a directory that came from a stranger may lead to any file of the user's."""
    for file in [*(path / name for name in NO_LINKS), *path.glob("seed_*")]:
        if file.is_symlink():
            raise UserError(f"{file}: is a link, and a run writes through none; put what it leads to in its place")


def _say_nothing(record: logging.LogRecord) -> None:
    """Of a record that could not be logged."""


EMPTY: Mapping[str, Any] = {
    "status": "running",
    "objective": None,
    "objective_std": None,
    "num_seeds": 0,
    "env_steps": 0,
    "episodes": 0,
    "updates": 0,
    "wall_time_s": 0.0,
    "error": None,
    "seeds": [],
}  # the result of a run that has not begun


def read_result(path: Path) -> dict[str, Any] | None:
    """What `result.json` says; None where no run has begun. Raises UserError where it says nothing."""
    try:
        result = json.loads((path / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path / RESULT}: is damaged ({error}); a run can go on without it") from None
    if not isinstance(result, dict) or "status" not in result:
        raise UserError(f"{path / RESULT}: has no status; a run can go on without it")
    return result


def state(path: Path) -> str:
    """`new`, `running`, `done`, `failed`, `interrupted`, or `killed`: said to be running, and nobody runs it."""
    result = read_result(path)
    if result is None:
        return "new"
    status = str(result["status"])
    return "killed" if status == "running" and _nobody_runs(path) else status


def _nobody_runs(path: Path) -> bool:
    try:
        with FileLock(path / LOCK, timeout=0):
            return True
    except Timeout:
        return False
