"""Signals that end a run: it finishes what it is at and saves itself first; at the second one it stops at once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
OF_LAUNCHERS = (signal.SIGUSR1, signal.SIGUSR2)  # by which a cluster says that it wants its machine back
SAID = b"\ninterrupted: finishing this update and saving; once more stops at once\n"


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

    def __init__(self) -> None:
        self.signal_number: int | None = None
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
        self._give_back()
        with suppress(OSError):  # whoever read it may have gone with the same Ctrl-C
            os.write(2, SAID)  # a handler may interrupt a print, and must not print itself

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
