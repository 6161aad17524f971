"""What is bad about how a command ended."""

from __future__ import annotations

import re
import signal
import unicodedata
from collections.abc import Iterator

from tests.fuzzing.children import MEMORY, SECONDS, Outcome

LINES = 6  # of error
FRAME, OF_A_JOB = 4, 4  # lines of a sweep's report, and of each of its jobs in it
CODES = {0, 1, 2}
TRACES = (
    "Traceback (most recent call last)",
    "Fatal Python error",
    "Exception ignored in",
    "─ Traceback",
    "│ Traceback",
)
REPORT = re.compile(r"^sweep of (\d+) jobs?:", re.MULTILINE)
SECRET = "the-value-of-a-secret-variable"  # no command may print it where only a stranger's file asks for it


def faults(outcome: Outcome, *, secret: bool) -> Iterator[str]:
    """Each fault of a command, in a few words.

    Args:
        outcome: of the command.
        secret: whether the value of the secret variable may not be printed.
    """
    if outcome.hung:
        yield f"a hang over {SECONDS:.0f} s"
    if outcome.memory > MEMORY:
        yield f"memory: {outcome.memory / 1e9:.2f} GB"
    elif outcome.code < 0 and not outcome.hung:
        yield f"a signal: {signal.Signals(-outcome.code).name}"
    elif outcome.code not in CODES and not outcome.hung:
        yield f"exit code {outcome.code}"
    for name, written in (("stdout", outcome.out), ("stderr", outcome.err)):
        yield from _faults_of_text(name, written, secret)
    if outcome.code != 0:
        yield from _too_many_lines(outcome.err.decode(errors="replace"))


def unexplained(outcome: Outcome) -> bool:
    """Whether an error is one line, but only the name and the text of an exception that no one has expected."""
    return b"HYDRA_FULL_ERROR=1 shows where" in outcome.err


def _faults_of_text(name: str, written: bytes, secret: bool) -> Iterator[str]:
    text = written.decode(errors="surrogateescape")
    if any(trace in text for trace in TRACES):
        yield f"a traceback in {name}"
    odd = {c for c in set(text) if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t\r"}
    if odd:
        yield f"control characters in {name}: {', '.join(ascii(c) for c in sorted(odd)[:5])}"
    if secret and SECRET in text:
        yield f"an interpolation of a stranger's file resolved in {name}"


def _too_many_lines(text: str) -> Iterator[str]:
    """A sweep's report has lines of its own for each of its jobs."""
    report = REPORT.search(text)
    errors = _count(text[: report.start()] if report else text)
    if errors > LINES:
        yield f"{errors} lines of error"
    if report and (lines := _count(text[report.start() :])) > FRAME + OF_A_JOB * int(report[1]):
        yield f"{lines} lines of a report of {report[1]} jobs"


def _count(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip())
