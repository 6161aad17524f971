"""The task function that Hydra calls for each composed config: trains a single run, or a job of a sweep."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from pg_experiments.app.command_line import config_directory
from pg_experiments.app.composing import Composed
from pg_experiments.app.config_loader import in_hydra_main
from pg_experiments.app.places import refuse_directory
from pg_experiments.app.sweep import JobFailed, done_before, is_plain, note_place, place_of
from pg_experiments.app.sweep_progress import Progress, say_of_job, total_of_command
from pg_experiments.app.training import run_training
from pg_experiments.support import plugins
from pg_experiments.support.feedback import COMMAND, Feedback, Stopped
from pg_experiments.support.files import Directory
from pg_experiments.support.identity import identity
from pg_experiments.support.interruption import Preempted
from pg_experiments.support.run_directory import LOG, Busy, RunDirectory

if TYPE_CHECKING:
    from pg_experiments.run.tracking.sweep_job import SweepJob


def train(config: DictConfig) -> float:
    """Train one run in Hydra's output directory. Returns the mean final return over seeds."""
    plugins.load()  # a launcher may run this in another process
    hydra_config = HydraConfig.get()
    output = Path(hydra_config.runtime.output_dir)
    refuse_directory("hydra.run.dir", hydra_config.run.dir)
    composed = Composed(config, cast(DictConfig, hydra_config))
    if hydra_config.mode == RunMode.MULTIRUN:
        # not relative to the current directory, which is the job's with hydra.job.chdir=true
        sweep = Path(hydra_config.runtime.cwd, hydra_config.sweep.dir)
        return train_job(composed, output, sweep, total_of_command(composed.hydra))
    return train_alone(composed, output)


def train_alone(composed: Composed, output: Path, feedback: Feedback = COMMAND) -> float:
    """Train one run in a new directory. Returns the mean final return over seeds."""
    try:
        claim, note = partial(RunDirectory.claim, output), partial(composed.save, Directory(output))
        return _train(composed, claim, note, output, feedback)
    except Exception:
        Directory(output.parent).remove_if_empty(output.name)  # created by Hydra
        raise


def train_job(composed: Composed, output: Path, sweep: Path, total: int | None, feedback: Feedback = COMMAND) -> float:
    """Train one of `total` jobs of a sweep, unless it is done. An error is recorded in the job's directory."""
    values = identity(composed.values)
    place = place_of(sweep, values, otherwise=output)
    if place != output:
        Directory(sweep).remove_if_empty(os.path.relpath(output, sweep))  # created by Hydra
    if (objective := done_before(place)) is not None:
        say_of_job(composed.hydra, total, f"{place.name}: done before, objective {objective:.4g}", feedback)
        return objective
    try:
        directory = RunDirectory.claim(place, again=True)
    except Busy:
        if not is_plain(composed.hydra):
            raise
        say_of_job(composed.hydra, total, f"{place.name}: another process is running it", feedback)
        return math.nan
    try:
        if (objective := done_before(place)) is not None:  # another process may have finished it since the first check
            return objective
        composed.save(directory.files)
        note_place(sweep, values, place)
        with Progress.job(composed.hydra, total) as job:
            return _train(composed, lambda: directory, lambda: None, sweep, feedback, job)
    except (Preempted, Stopped):
        raise
    except (Exception, SystemExit) as error:
        directory.write_failure(error)
        say_of_job(composed.hydra, total, f"{place.name}: failed, {type(error).__name__}: {error}", feedback)
        raise JobFailed(f"{place.name}: {type(error).__name__}: {error} (traceback in {place / LOG})") from error
    finally:
        directory.release()


def _train(
    composed: Composed,
    claim: Callable[[], RunDirectory],
    note: Callable[[], object],
    browse: Path,
    feedback: Feedback,
    job: SweepJob | None = None,
) -> float:
    return run_training(
        composed.values,
        claim,
        note,
        choices=composed.choices,
        overridden=composed.overridden,
        browse=browse,
        job=job,
        feedback=feedback,
    )


def compose_and_train() -> None:
    """Compose the config of the command line and train: one run, or the jobs of a sweep."""
    failed: list[Exception] = []

    @wraps(train)
    def task(config: DictConfig) -> float | None:
        try:
            return train(config)
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            failed.append(error)  # raised below: Hydra would print an additional line
            return None

    with in_hydra_main():
        hydra.main(config_path=config_directory(), config_name="config", version_base="1.3")(task)()
    if failed:
        raise failed[0]
