"""Progress of an evaluation on stderr: a bar in a terminal, elsewhere a line at intervals."""

from __future__ import annotations

import time
from threading import Event, Thread
from types import TracebackType

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pg_experiments.support.terminal import terminal

WIDE = 200  # columns where the output is not a terminal
EVERY_SECONDS = 5.0  # between two lines where the output is not a terminal


class EvaluationProgress:
    """Context that shows which part of an evaluation is in progress, and how much of it is done.

    Lines are printed by a thread, as a part may take long before it can report. A short evaluation prints none.
    """

    def __init__(self, parts: int | None = None) -> None:
        """`parts` is their number: the episodes of a seed in one way of acting, or a video; None: not known."""
        self.parts = parts
        self._status = ""
        self._part = 0
        self._total = 1
        self._started = time.monotonic()
        self._ended = Event()
        self._console = terminal(WIDE, stderr=True)
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=float(parts or 1), status="")
        self._thread = Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> EvaluationProgress:
        self._bar.start()
        if not self._console.is_terminal:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._bar.stop()
        if self._thread.is_alive():
            self._thread.join()

    def begin(self, name: str, total: int, unit: str) -> None:
        """Begins the next part, which has `total` of a unit, or about as many."""
        self._part, self._name, self._total, self._unit = self._part + 1, name, total, unit
        self.done(0)

    def done(self, count: int) -> None:
        """Sets how many of the part are done."""
        place = "" if self.parts is None else f"{self._part} of {self.parts}: "
        self._status = f"{place}{self._name}: {count} of {self._total} {self._unit}"
        share = min(1.0, count / self._total)
        done_before = 0 if self.parts is None else self._part - 1
        self._bar.update(self._task, completed=done_before + share, status=self._status)

    def _print_lines(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            if self._status:
                self._console.print(f"{self._status}, {time.monotonic() - self._started:.0f} s", markup=False)
