"""Number and time of the jobs of a sweep, for the line that each prints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from hydra.core.hydra_config import HydraConfig

from pg_experiments.app.sweep import Begun
from pg_experiments.support.errors import printable

if TYPE_CHECKING:
    from pg_experiments.run.tracking.sweep_job import SweepJob


class Progress:
    """The jobs of a sweep that this process has trained. Hydra calls a function for each, so this is class-level."""

    trained = False
    seconds: ClassVar[list[float]] = []

    @classmethod
    def forget(cls) -> None:
        """Reset the state, as the process may have run another sweep."""
        cls.trained = False
        cls.seconds.clear()

    @classmethod
    @contextmanager
    def job(cls) -> Iterator[SweepJob]:
        """Context of the training of the current job. Its time counts if it ends without an error."""
        from pg_experiments.run.tracking.sweep_job import SweepJob

        number, total = _place()
        shows_settings = not cls.trained and (total is not None or number == 1)
        cls.trained = True
        started = time.monotonic()
        yield SweepJob(number, total, _differs(), shows_settings, tuple(cls.seconds))
        cls.seconds.append(time.monotonic() - started)


def say_of_job(text: str) -> None:
    """Print a line on the current job of a sweep."""
    number, total = _place()
    of = "" if total is None else f" of {total}"
    print(printable(f"job {number}{of}  {text}"), flush=True)


def _place() -> tuple[int, int | None]:
    """The number of the current job, from 1, and the number of jobs if this process runs all of them."""
    hydra = HydraConfig.get()
    total = len(Begun.jobs) if Begun.jobs is not None else None
    if total is None and Begun.directory is not None:  # a search, which may say how many trials it makes
        trials = hydra.sweeper.get("n_trials")
        total = trials if isinstance(trials, int) else None
    return hydra.job.num + 1, total


def _differs() -> str:
    job = HydraConfig.get().job
    return str(job.override_dirname).replace(str(job.config.override_dirname.item_sep), " ")
