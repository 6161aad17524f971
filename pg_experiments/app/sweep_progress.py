"""Number and time of the jobs of a sweep, for the line that each prints."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from omegaconf import DictConfig

from pg_experiments.app.sweep import Begun
from pg_experiments.support.feedback import Feedback

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
    def job(cls, hydra: DictConfig, total: int | None) -> Iterator[SweepJob]:
        """Context of the training of a job of `total` ones. Its time counts if it ends without an error.

        `hydra` is Hydra's node of the job's config.
        """
        from pg_experiments.run.tracking.sweep_job import SweepJob

        number = hydra.job.num + 1
        shows_settings = not cls.trained and (total is not None or number == 1)
        cls.trained = True
        started = time.monotonic()
        yield SweepJob(number, total, _differs(hydra), shows_settings, tuple(cls.seconds))
        cls.seconds.append(time.monotonic() - started)


def say_of_job(hydra: DictConfig, total: int | None, text: str, feedback: Feedback) -> None:
    """Print a line on a job of a sweep."""
    of = "" if total is None else f" of {total}"
    feedback.say(f"job {hydra.job.num + 1}{of}  {text}")


def total_of_command(hydra: DictConfig) -> int | None:
    """The number of jobs of the command, if this process runs all of them."""
    total = len(Begun.jobs) if Begun.jobs is not None else None
    if total is None and Begun.directory is not None:  # a search, which may say how many trials it makes
        trials = hydra.sweeper.get("n_trials")
        total = trials if isinstance(trials, int) else None
    return total


def _differs(hydra: DictConfig) -> str:
    job = hydra.job
    separator = re.escape(str(job.config.override_dirname.item_sep))
    return re.sub(rf"{separator}(?=[\w.@/]+=)", " ", str(job.override_dirname))  # not within a list or mapping
