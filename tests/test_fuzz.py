"""Random command lines, and commands on damaged files, end well; and the fuzzer notices what does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.fuzzing.children import Child, Outcome
from tests.fuzzing.verdict import SECRET, faults

# in the place of each command: what a stranger's files must not bring about
DEFECTS = """
import os, sys
from pathlib import Path
import torch, yaml
from tests import fuzz
from tests.fuzzing.commands import Command

right = Command.call

def wrong(command):
    if Path.cwd().parent.name == "base":
        return right(command)
    for path in sorted(Path(".").rglob("*")):
        for defect in (write_through_link, execute, clean_up):
            try:
                defect(path)
            except Exception:
                pass

def write_through_link(path):
    if path.is_symlink() and os.path.realpath(path).startswith(os.environ["HOME"]):
        path.write_text("metrics")

def execute(path):
    if path.suffix == ".yaml" and path.stat().st_size < 10_000:
        yaml.unsafe_load(path.read_text())
    if path.suffix == ".pt":
        torch.load(path, weights_only=False)

def clean_up(path):
    if path.name == "mine.pt" and "seeds" in path.parts:
        path.unlink()

Command.call = wrong
sys.exit(fuzz.fuzz([n for n in range(150) if n % 6 in (2, 5)], 0, seconds=5))
"""


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=900
    )


def test_the_fuzzer_notices_what_follows_a_link_executes_a_file_or_removes_a_users_own():
    done = fuzz("-c", DEFECTS)
    for expected in (
        "outside: 'home/.bashrc' has changed",
        "outside: 'home/run'",
        "an executed payload",
        "inside: 'outputs",
    ):
        assert expected in done.stdout, done.stdout + done.stderr
    assert done.returncode > 0


def ended(function: Callable[[], object], directory: Path, seconds: float = 60) -> Outcome:
    return Child(function, directory, directory, seconds=seconds).wait()


def print_error(text: str, lines: int = 1) -> None:
    sys.stderr.write(f"{text}\n" * lines)
    sys.exit(1)


def fill_memory() -> None:
    kept = [bytes(bytearray(os.urandom(1)) * 50_000_000) for _ in range(60)]
    time.sleep(len(kept))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: sys.exit("error: one line"), []),
        (lambda: 1 / 0, ["a traceback in stderr", "7 lines of error"]),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), ["a signal: SIGTERM"]),
        (lambda: sys.exit(77), ["exit code 77"]),
        (lambda: time.sleep(99), ["a hang over 60 s"]),
        (fill_memory, ["memory: "]),
        (lambda: print_error("wrong", lines=6), []),
        (lambda: print_error("wrong", lines=7), ["7 lines of error"]),
        (lambda: print("\x1b[2J"), ["control characters in stdout: '\\x1b'"]),
        (lambda: print_error("\x9b31m"), ["control characters in stderr: '\\x9b'"]),
        (lambda: print("\udcff"), ["a traceback in stderr"]),
        (lambda: print(SECRET), ["an interpolation of a stranger's file resolved in stdout"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_bad_end_is_called_bad(function, expected, tmp_path):
    outcome = ended(function, tmp_path, seconds=1 if expected == ["a hang over 60 s"] else 60)
    found = [*faults(outcome, secret=True)]
    for reason in expected:
        assert any(fault.startswith(reason) for fault in found), found
    assert bool(found) == bool(expected), found
