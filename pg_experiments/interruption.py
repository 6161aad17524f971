"""SIGTERM and Ctrl-C: a run finishes what it is at and saves itself; at the second one it stops at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
SAID = b"\ninterrupted: finishing this update and saving; once more stops at once\n"


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop, and has saved itself."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number


class Interruption:
    """While it is entered, the first signal is only remembered.

    Signals that somebody else handles already, as a cluster's launcher may, stay theirs.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether there was a signal."""
        return self.signal_number is not None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number, default in DEFAULTS.items():
                if signal.getsignal(number) == default:
                    self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def stop_if_asked(self) -> None:
        """Raises Interrupted, if there was a signal."""
        if self.signal_number is not None:
            raise Interrupted(self.signal_number)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal_number = number
        self._give_back()
        os.write(2, SAID)  # a handler may interrupt a print, and must not print itself

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
