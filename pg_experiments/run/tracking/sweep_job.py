"""A run's place in a sweep, for the lines that it prints."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep."""

    number: int  # from 1
    total: int | None  # None in a launcher's process, whose jobs run side by side
    differs: str  # overrides that differ between the jobs
    shows_settings: bool  # whether it prints all of its settings; the first job of a sweep does
    seconds: Sequence[float] = ()  # that finished jobs of this sweep took

    @property
    def label(self) -> str:
        """Its number, such as `job 2 of 6`."""
        return f"job {self.number}" if self.total is None else f"job {self.number} of {self.total}"

    def seconds_left(self, elapsed: float) -> float | None:
        """The time until the end of the sweep, from the mean of the finished jobs; None where none has finished.

        Args:
            elapsed: seconds of this job so far.
        """
        if self.total is None or not self.seconds:
            return None
        mean = statistics.fmean(self.seconds)
        return max(0.0, mean - elapsed) + mean * (self.total - self.number)
