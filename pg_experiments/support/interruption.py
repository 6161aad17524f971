"""Signal handling: the first signal is deferred until it is safe to stop, the second one stops immediately.

A signal handler can raise an exception between any two bytecode instructions. During an import, the C code of NumPy or
torch may suppress or replace that exception. Signals are therefore `deferred` during imports and while a run is built,
and the training loop finishes its update and saves a checkpoint first (`Interruption`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
OF_LAUNCHERS = (signal.SIGUSR1, signal.SIGUSR2)  # sent by a cluster before it preempts a job
SAVING = b"\ninterrupted: finishing this update and saving; once more stops at once\n"
STARTING = b"\ninterrupted: stopping before anything is trained; once more stops at once\n"


class Interrupted(KeyboardInterrupt):
    """A command was stopped by a signal. A training run has saved a checkpoint."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number


class Preempted(SystemExit):
    """A launcher has preempted a run, which has saved a checkpoint, and queues it again."""


def stop(number: int, _: FrameType | None) -> None:
    """A signal handler that raises Interrupted, for the process of a sweep outside of its jobs."""
    raise Interrupted(number)


class Interruption:
    """A context in which the first signal is only recorded.

    The handler of a launcher is called by `stop_if_asked`. Other signals that already have a handler keep it.
    """

    def __init__(self, *, starting: bool = False) -> None:
        """`starting`: there is nothing to save yet, and a second signal ends the process without an exception."""
        self.signal_number: int | None = None
        self.starting = starting
        self._before: dict[int, Any] = {}
        self._launchers: Any = None  # the launcher's handler of that signal

    @property
    def asked(self) -> bool:
        """Whether a signal was received."""
        return self.signal_number is not None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            ours = [number for number, default in DEFAULTS.items() if signal.getsignal(number) in (default, stop)]
            ours += [number for number in OF_LAUNCHERS if callable(signal.getsignal(number))]
            for number in ours:
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def stop_if_asked(self) -> None:
        """Raises Interrupted if a signal was received; Preempted if the launcher's handler exits the process."""
        if self.signal_number is None:
            return
        if self._launchers is not None:
            try:
                self._launchers(self.signal_number, None)
            except SystemExit as exit:
                raise Preempted(exit.code) from None
        raise Interrupted(self.signal_number)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal_number = number
        self._launchers = self._before[number] if number in OF_LAUNCHERS else None
        if self.starting:
            for each in self._before.keys() & DEFAULTS.keys():
                signal.signal(each, signal.SIG_DFL)
        else:
            self._give_back()
        with suppress(OSError):  # the reader of stderr may have been ended by the same Ctrl-C
            os.write(2, STARTING if self.starting else SAVING)  # not print, which is not reentrant

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


@contextmanager
def deferred() -> Iterator[Interruption]:
    """Context for imports and for building a run: a signal takes effect at the end.

    Raises:
        Interrupted, Preempted: a signal was received. Takes precedence over any other exception.
    """
    interruption = Interruption(starting=True)
    try:
        with interruption:
            yield interruption
    finally:
        interruption.stop_if_asked()


@contextmanager
def exit_on_signal() -> Iterator[None]:
    """Context of a command: a signal that stops it becomes the exit code 128 + its number, as in shells."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        sys.exit(128 + getattr(interrupt, "signal_number", signal.SIGINT))
