"""A run's directory: locked by one process at a time, never overwritten implicitly, with an atomic `result.json`."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from pg_experiments.support.errors import UserError, near_directory, printable
from pg_experiments.support.files import RESULT_LIMIT, Directory, FileError, NoSuchFile
from pg_experiments.support.plain_data import Damaged, read_json

RESULT = "result.json"
LOG = "train.log"
LOCK = ".lock"  # held by the process of the run; released by the operating system when that process dies
LOOK_SECONDS = 0.5  # longer than `state` holds the lock when it tests it
METRICS = "metrics.csv"
EVENTS = ["events.out.tfevents.*", "seed_*/events.out.tfevents.*"]
RECORD = [METRICS, *EVENTS, "replay/seed_*.bin"]  # files that are appended to
CHECKPOINTS = ["checkpoints/update_*.pt", "checkpoints/.update_*.tmp"]
HALF_WRITTEN = [f".{RESULT}.*tmp", ".hydra/.*.tmp"]  # temporary files of a killed process
FILES = [LOCK, RESULT, LOG, METRICS]  # files that are written to
FOLDERS = ["checkpoints", "replay", ".hydra"]
ANOTHER = "choose another hydra.run.dir or hydra.sweep.dir (from Python: directory)"  # the end of messages
OF_A_SEED = re.compile(r"seed_\d+")  # the folder of a seed's event files

log = logging.getLogger("pg_experiments")


class Busy(UserError):  # noqa: N818  (named after the condition)
    """Another process holds the directory's lock."""


class RunDirectory:
    """The directory that one run writes to."""

    def __init__(self, files: Directory, lock: FileLock) -> None:
        self.files = files
        self._lock = lock

    @property
    def path(self) -> Path:
        """The path of the directory."""
        return self.files.path

    @classmethod
    def claim(cls, path: Path, *, again: bool = False) -> RunDirectory:
        """Create and lock a directory for a run. Of several processes that claim it, one succeeds.

        Args:
            path: the directory; it is created if it does not exist.
            again: whether it may hold an earlier attempt at the same run. The caller resumes it, or calls
                `begin_anew`.

        Raises:
            UserError: the directory already holds a run, another process is running it, it cannot be written to, or a
                file of the run is a link or not a regular file.
        """
        files, lock = Directory(path), FileLock(path / LOCK, timeout=LOOK_SECONDS)
        _refuse_links(files)
        try:
            files.make()
            lock.acquire()
        except Timeout:
            raise Busy(f"{path}: another process is running it") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); {ANOTHER}") from None
        if not again and any(files.glob(pattern) for pattern in [RESULT, *CHECKPOINTS, *RECORD]):
            lock.release()
            raise UserError(f"{path}: already holds a run, and a run is never overwritten; {ANOTHER}")
        for name in [name for pattern in HALF_WRITTEN for name in files.glob(pattern)]:
            files.remove(name)
        return cls(files, lock)

    def begin_anew(self) -> None:
        """Remove all files of an earlier attempt except its log."""
        patterns = [RESULT, *CHECKPOINTS, *RECORD]
        for name in [name for pattern in patterns for name in self.files.glob(pattern)]:
            self.files.remove(name)

    def force_record(self) -> dict[str, int]:
        """Synchronise the record files to disk. Returns their lengths, as `positions`."""
        names = self._record()
        for name in [*names, *{str(PurePosixPath(name).parent) for name in names}]:  # folders too, for new files
            self.files.force(name)
        return self.positions()

    def positions(self) -> dict[str, int]:
        """The lengths of the record files in bytes, by name."""
        return {name: self.files.status(name).st_size for name in self._record()}

    def rewind(self, positions: Mapping[str, int]) -> None:
        """Truncate the record files to these positions, and remove record files without a position.

        Only record files are changed, since `positions` is not trusted, and links are not followed.

        Raises:
            UserError: a record file is missing, or shorter than its position.
        """
        now = self.positions()
        for name, size in positions.items():
            if now.get(name, 0) < size:
                raise UserError(f"{self.path / name}: expected at least {size} bytes, which the checkpoint continues")
        for name in now:
            if name in positions:
                self.files.truncate(name, positions[name])
            else:
                self.files.remove(name)

    def _record(self) -> list[str]:
        names = [name for pattern in RECORD for name in self.files.glob(pattern)]
        return [name for name in names if self.files.kind(name) == "file"]

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Replace `result.json` atomically; on a full disk, overwrite it in place."""
        text = (json.dumps(result, indent=2, allow_nan=False) + "\n").encode()
        try:
            self.files.replace(RESULT, lambda file: file.write(text))
        except OSError:
            if not self.files.has_file(RESULT):
                raise
            self.files.overwrite(RESULT, text)

    def open_log(self) -> logging.Handler:
        """Add a handler that logs to the run's `train.log`."""
        handler = _LogFile(io.TextIOWrapper(self.files.append(LOG), encoding="utf-8", errors="backslashreplace"))
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
        return handler

    def close_log(self, handler: logging.Handler) -> None:
        """Remove and close the handler of `open_log`."""
        log.removeHandler(handler)
        handler.close()

    def write_failure(self, error: BaseException) -> None:
        """Record a failure in the log and in `result.json`, unless the run has recorded it."""
        result = EMPTY
        with suppress(FileError):
            result = read_result(self.path) or EMPTY
        if result["status"] != "failed":
            handler = self.open_log()
            log.error("the run failed", exc_info=error)
            self.close_log(handler)
            self.write_result({**result, "status": "failed", "error": f"{type(error).__name__}: {error}"})

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()


def _refuse_links(files: Directory) -> None:
    """Raises FileError where a file or folder that a run writes to is a link, a FIFO or a device."""
    for name in FILES:
        files.has_file(name)
    for name in [*FOLDERS, *(entry.name for entry in files.entries() if OF_A_SEED.fullmatch(entry.name))]:
        files.has_folder(name)


class _LogFile(logging.StreamHandler[io.TextIOWrapper]):
    """A handler for `train.log` that ignores write errors, since the run reports a full disk."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            self.stream.close()
        super().close()


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
}  # the result of a run that has not started


def read_result(path: Path) -> dict[str, Any] | None:
    """The content of `result.json`; None where it does not exist. Raises FileError where it cannot be read."""
    try:
        result = read_json(Directory(path), RESULT, RESULT_LIMIT)
    except NoSuchFile:
        return None
    except Damaged as error:
        raise FileError(f"{error}; a run can be resumed without it") from None
    if not isinstance(result, dict) or "status" not in result:
        raise FileError(f"{path / RESULT}: has no status; a run can be resumed without it")
    return result


def state(path: Path) -> str:
    """The state of a run: `new`, `running`, `done`, `failed`, `interrupted`, or `killed` (running, but not locked)."""
    result = read_result(path)
    if result is None:
        return "new"
    status = str(result["status"])
    return "killed" if status == "running" and _is_unlocked(path) else status


def is_busy(path: Path) -> bool:
    """Whether a process has claimed the directory."""
    return not _is_unlocked(path)


def _is_unlocked(path: Path) -> bool:
    if not Directory(path).has_file(LOCK):
        return True
    try:
        with FileLock(path / LOCK, timeout=0):
            return True
    except (Timeout, OSError):  # a lock that cannot be opened counts as held
        return False


def what_is_there(path: Path) -> str:
    """Describes a directory that does not hold a run, for an error message."""
    if not path.is_dir():
        return f"no such directory{near_directory(path)}"
    runs = Directory(path).glob(f"*/{RESULT}")
    if runs:
        return f"is no run itself, but holds {len(runs)}; choose one of them, such as {(path / runs[0]).parent}"
    return f"holds no run, which would have a {RESULT}"
