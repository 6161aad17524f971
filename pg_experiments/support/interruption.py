"""Signals that end a command: the first one waits until it is safe to stop, the second one stops at once.

A handler that raises an exception does so between any two steps of Python. In the middle of an import that exception
may be swallowed by the C code of NumPy or torch, or become another one; so imports and the building of a run are
`deferred`, and the training loop finishes its update and saves itself first (`Interruption`).
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
OF_LAUNCHERS = (signal.SIGUSR1, signal.SIGUSR2)  # by which a cluster says that it wants its machine back
SAVING = b"\ninterrupted: finishing this update and saving; once more stops at once\n"
STARTING = b"\ninterrupted: stopping before anything is trained; once more stops at once\n"


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop, and has saved itself."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number


class Preempted(SystemExit):
    """A launcher has taken a run's machine away, after it saved itself, and queues it again."""


def stop(number: int, _: FrameType | None) -> None:
    """A handler for where nothing is to be saved: a sweep's own process, between its jobs or while others run them."""
    raise Interrupted(number)


class Interruption:
    """While it is entered, the first signal is only remembered.

    What a launcher does at a signal of its own, it does after that; other signals that have a handler already keep it.
    """

    def __init__(self, *, starting: bool = False) -> None:
        """`starting`: nothing is to be saved yet, and a second signal ends the process without any exception."""
        self.signal_number: int | None = None
        self.starting = starting
        self._before: dict[int, Any] = {}
        self._launchers: Any = None  # what it does at that signal

    @property
    def asked(self) -> bool:
        """Whether there was a signal."""
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
        """Raises Interrupted, if there was a signal; Preempted, if it was a launcher's and it exits the process."""
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
        with suppress(OSError):  # the reader of stderr may have ended by the same Ctrl-C
            os.write(2, STARTING if self.starting else SAVING)  # a handler may interrupt a print, and must not print

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


@contextmanager
def deferred() -> Iterator[Interruption]:
    """Around imports and the building of a run: a signal takes effect at the end.

    Raises:
        Interrupted, Preempted: there was a signal; in place of any other exception.
    """
    interruption = Interruption(starting=True)
    try:
        with interruption:
            yield interruption
    finally:
        interruption.stop_if_asked()


@contextmanager
def exit_on_signal() -> Iterator[None]:
    """Around a command: a signal that has stopped it becomes the exit code 128 + its number, as shells report it."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        sys.exit(128 + getattr(interrupt, "signal_number", signal.SIGINT))
