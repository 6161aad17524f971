"""Runs tests on copies of the repository, several at a time, each in a process forked from one that has imported torch.

Importing torch and its like takes seconds, and is done once. The package and the tests are imported by each fork for
itself, from its own copy.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
COPIED = ("pg_experiments", "hydra_plugins", "conf", "tests", "benchmarks", "docs", "pyproject.toml", "README.md")
OWN = ("pg_experiments", "hydra_plugins", "tests", "benchmarks", "docs")  # packages that come from the copy
IMPORTED_ONCE = (
    "torch", "numpy", "scipy.stats", "numba", "pydantic", "hydra", "omegaconf", "gymnasium", "ale_py.vector_env",
    "gymnasium.envs.classic_control.cartpole", "rich.progress", "matplotlib.pyplot", "playwright.sync_api",
    "torch.utils.tensorboard", "tensorboard.backend.event_processing.event_accumulator",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """Tests to run on a copy of a tree, in which one file may have another text."""

    label: str
    tests: tuple[str, ...]
    file: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How the tests of a trial ended."""

    trial: Trial
    seconds: float
    failed: tuple[str, ...]  # the ids of the tests that failed
    passed: bool  # all of them
    why: str  # what ended the trial otherwise: a time-out, a signal, an exit code
    output: str  # the end of what pytest printed

    @property
    def noticed(self) -> bool:
        """Whether the tests told that something is wrong, by failing, hanging or crashing."""
        return bool(self.failed) or self.why.startswith(("time-out", "signal"))


@dataclass
class _Running:
    trial: Trial
    directory: Path
    process: ForkProcess
    started: float = field(default_factory=time.monotonic)


class Failures:
    """A plugin of pytest that notes which tests failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test whose set-up, call or tear-down failed."""
        if report.failed:
            self.failed.append(report.nodeid)


def import_once() -> None:
    """Import the large libraries, so that no fork has to."""
    for name in IMPORTED_ONCE:
        importlib.import_module(name)


def copy_repository(to: Path, origin: Path = REPOSITORY) -> Path:
    """Copy what the tests need, with what Python has compiled."""
    to.mkdir(parents=True)
    for name in COPIED:
        if (origin / name).is_dir():
            shutil.copytree(origin / name, to / name, ignore=shutil.ignore_patterns(".pytest_cache"))
        else:
            shutil.copy2(origin / name, to / name)
    return to


def outcomes(
    trials: Iterable[Trial], tree: Path, scratch: Path, *, at_a_time: int, limit_s: float, share: bool = False
) -> Iterator[Outcome]:
    """Run all trials and yield their outcomes as they end.

    Args:
        trials: what to run.
        tree: the repository, or a copy of it.
        scratch: an empty directory.
        at_a_time: how many processes run together.
        limit_s: seconds after which a trial is killed.
        share: whether the trials run in `tree` itself, which then must be a copy; else each has a copy of its own.
    """
    waiting, running = list(enumerate(trials))[::-1], list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < at_a_time:
                number, trial = waiting.pop()
                running.append(_start(trial, tree, scratch / str(number), share))
            nearest = min(one.started for one in running) + limit_s
            wait([one.process.sentinel for one in running], max(0.0, nearest - time.monotonic()))
            for one in list(running):
                late = time.monotonic() - one.started >= limit_s
                if late or not one.process.is_alive():
                    running.remove(one)
                    yield _end(one, late and one.process.is_alive(), limit_s)
    finally:
        for one in running:
            _kill(one.process)


def _start(trial: Trial, tree: Path, directory: Path, share: bool) -> _Running:
    directory.mkdir()
    copy = tree if share else copy_repository(directory / "tree", tree)
    if trial.file is not None and trial.text is not None:
        file = copy / trial.file
        file.write_text(trial.text, encoding="utf-8")
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            compiled.unlink()  # Python takes a file of the same size and second for the one that it has compiled
    (directory / "output").touch()  # also read if the fork is killed before it writes
    process = multiprocessing.get_context("fork").Process(target=_in_fork, args=(copy, directory, trial.tests))
    process.start()
    return _Running(trial, directory, process)


def _in_fork(copy: Path, directory: Path, tests: tuple[str, ...]) -> None:
    """Run the tests of the copy; note their failures, and the exit code, in the directory."""
    os.setsid()
    output = os.open(directory / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for module in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[module]
    sys.path[:] = [str(copy), *(path for path in sys.path if path and Path(path) != REPOSITORY)]
    os.environ["PYTHONPATH"] = str(copy)  # for tests that start processes
    os.chdir(copy)
    import torch

    torch.set_num_threads(1)
    seen = Failures()
    arguments = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={directory / 'tmp'}", *tests]
    code = pytest.main(arguments, plugins=[seen])
    (directory / "ended.json").write_text(json.dumps([int(code), seen.failed]), encoding="utf-8")


def _end(one: _Running, late: bool, limit_s: float) -> Outcome:
    """What came of a process that has ended, or is `late` and killed."""
    seconds = time.monotonic() - one.started
    if late:
        _kill(one.process)
    one.process.join()
    code: int | None = None
    failed: list[str] = []
    if (ended := one.directory / "ended.json").exists():
        code, failed = json.loads(ended.read_text(encoding="utf-8"))
    output = (one.directory / "output").read_text(encoding="utf-8", errors="replace")
    shutil.rmtree(one.directory, ignore_errors=True)
    exit_code = one.process.exitcode or 0
    if late:
        why = f"time-out of {limit_s:.0f} s"
    elif code is None:
        why = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    else:
        why = "" if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else f"pytest's exit code {code}"
    return Outcome(one.trial, seconds, tuple(failed), code == pytest.ExitCode.OK, why, output[-3000:])


def _kill(process: Any) -> None:
    """End a fork and what it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        process.kill()
    process.join()
