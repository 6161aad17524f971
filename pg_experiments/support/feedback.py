"""What the caller of a training sees of it: printed lines, and a call after each update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pg_experiments.support.errors import printable


class Stopped(Exception):  # noqa: N818  (named after the event)
    """The caller has stopped a run, which has saved a checkpoint."""


@dataclass(frozen=True)
class Feedback:
    """What the caller of a training sees of it.

    Attributes:
        quiet: whether nothing is printed.
        on_update: called after each update with the run's directory, all of its seeds, and the record of the update;
            the run stops where it returns True.
    """

    quiet: bool = False
    on_update: Callable[[Path, Sequence[int], Any], bool] | None = None

    def say(self, text: str) -> None:
        """Print a line, unless quiet."""
        if not self.quiet:
            print(printable(text), flush=True)


COMMAND = Feedback()  # of the commands
