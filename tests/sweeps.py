"""What the tests of launchers share: sweeps as processes, which can be killed half-way, and what their jobs left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

TINY = ("env.max_episodes=4", "policy.hidden=8", "device=cpu")
LONG = ("env.threshold=inf", "env.max_episodes=1000000", "policy.hidden=8", "device=cpu", "tracking.histograms_every=0")


def needs(package: str, extra: str) -> pytest.MarkDecorator:
    """Skip where an extra is not installed."""
    return pytest.mark.skipif(
        find_spec(package) is None, reason=f"needs the extra [{extra}]: pip install -e '.[{extra}]'"
    )


def begin(directory: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A sweep as a process of its own, in a process group of its own, that writes to `directory`/sweep."""
    return subprocess.Popen(
        [sys.executable, "-m", "pg_experiments.train", "-m", "hydra.sweep.dir=sweep", *arguments],
        cwd=directory,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def sweep(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A sweep to its end."""
    process = begin(directory, *arguments, **environment)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        end(process)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process and whatever it has started that is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def statuses(directory: Path) -> dict[str, str]:
    """The status of each job that has begun, by the name of its directory."""
    results = sorted(directory.glob("sweep/*/result.json"))
    return {file.parent.name: json.loads(file.read_text() or '{"status": "claimed"}')["status"] for file in results}


def wait_for(what: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def process_of(run: Path) -> int:
    """The process that trains a run, as soon as it does: TensorBoard's event file has its number in its name."""
    wait_for(lambda: list(run.glob("events.out.tfevents.*")))
    (events,) = run.glob("events.out.tfevents.*")
    return int(events.name.split(".")[-2])
