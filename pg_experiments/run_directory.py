"""A run's directory: one process writes to it at a time, nothing is overwritten unasked, and its result is atomic."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pg_experiments.errors import UserError

RESULT = "result.json"
LOG = "train.log"
LOCK = ".lock"  # held by the process that runs; the operating system lets it go when that process dies
UNWRITTEN = ["metrics.csv", "events.out.tfevents.*", "seed_*/events.out.tfevents.*"]  # what a new attempt begins anew

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
            again: whether an earlier attempt at the same run may be there. It is begun anew; its log is kept.

        Raises:
            UserError: a run already is there, another process is running it, or nothing can be written there.
        """
        lock = FileLock(path / LOCK, timeout=0)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            if again:
                for pattern in [RESULT, *UNWRITTEN]:
                    for file in path.glob(pattern):
                        file.unlink()
        except Timeout:
            raise UserError(f"{path}: another process is running it") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); choose another hydra.run.dir") from None
        if (path / RESULT).exists():
            lock.release()
            raise UserError(
                f"{path}: already holds a run, and a run is never overwritten; "
                "choose another hydra.run.dir (or hydra.sweep.dir)"
            )
        return cls(path, lock)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Replace `result.json`: a reader sees the old one or the new one, whole."""
        temporary = self.path / f".{RESULT}.tmp"
        temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(self.path / RESULT)

    def open_log(self) -> logging.Handler:
        """Let what is logged go to the run's `train.log`, too, until `close_log`."""
        handler = logging.FileHandler(self.path / LOG, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
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
    """What `result.json` says; None where no run has begun."""
    try:
        result: dict[str, Any] = json.loads((path / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
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
