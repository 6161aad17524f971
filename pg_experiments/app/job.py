"""The task function that Hydra calls for each composed config: trains a single run, or a job of a sweep."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import wraps
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pg_experiments.app.command_line import config_directory
from pg_experiments.app.places import refuse_directory
from pg_experiments.app.sweep import JobFailed, done_before, is_plain, note_place, place_of
from pg_experiments.app.sweep_progress import Progress, say_of_job
from pg_experiments.app.training import run_training
from pg_experiments.support import plugins
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
    composed = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    if hydra_config.mode == RunMode.MULTIRUN:
        # not relative to the current directory, which is the job's with hydra.job.chdir=true
        return _job(config, composed, output, Path(hydra_config.runtime.cwd, hydra_config.sweep.dir))

    def note() -> None:
        _save_composition(config, Directory(output))

    try:
        return _train(composed, lambda: RunDirectory.claim(output), note, output)
    except Exception:
        Directory(output.parent).remove_if_empty(output.name)  # created by Hydra
        raise


def _job(config: DictConfig, composed: dict[str, Any], output: Path, sweep: Path) -> float:
    """Train one job of a sweep, unless it is done. An error is recorded in the job's directory."""
    values = identity(composed)
    place = place_of(sweep, values, otherwise=output)
    if place != output:
        Directory(sweep).remove_if_empty(os.path.relpath(output, sweep))  # created by Hydra
    if (objective := done_before(place)) is not None:
        say_of_job(f"{place.name}: done before, objective {objective:.4g}")
        return objective
    try:
        directory = RunDirectory.claim(place, again=True)
    except Busy:
        if not is_plain(HydraConfig.get()):
            raise
        say_of_job(f"{place.name}: another process is running it")
        return math.nan
    try:
        if (objective := done_before(place)) is not None:  # another process may have finished it since the first check
            return objective
        _save_composition(config, directory.files)
        note_place(sweep, values, place)
        with Progress.job() as job:
            return _train(composed, lambda: directory, lambda: None, sweep, job)
    except Preempted:
        raise
    except (Exception, SystemExit) as error:
        directory.write_failure(error)
        say_of_job(f"{place.name}: failed, {type(error).__name__}: {error}")
        raise JobFailed(f"{place.name}: {type(error).__name__}: {error} (traceback in {place / LOG})") from error
    finally:
        directory.release()


def _train(
    composed: dict[str, Any],
    claim: Callable[[], RunDirectory],
    note: Callable[[], object],
    browse: Path,
    job: SweepJob | None = None,
) -> float:
    return run_training(composed, claim, note, choices=_choices(), overridden=_overridden(), browse=browse, job=job)


def _choices() -> dict[str, str]:
    """The chosen option of each group, by config name."""
    return {str(group): str(option) for group, option in HydraConfig.get().runtime.choices.items()}


def _overridden() -> frozenset[str]:
    """The keys that the command line set; in a sweep, the keys that differ between jobs."""
    job = HydraConfig.get().job
    pairs = (pair.partition("=") for pair in job.override_dirname.split(job.config.override_dirname.item_sep))
    return frozenset(key for key, _, _ in pairs)


def _save_composition(config: DictConfig, directory: Directory) -> None:
    """Write the files of `.hydra/`. Hydra itself would overwrite those of another run."""
    directory.make_folder(".hydra")  # may exist: a user's primary config may let Hydra write it
    parts = {
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.create({"hydra": HydraConfig.get()})),
        "overrides.yaml": OmegaConf.to_yaml(HydraConfig.get().overrides.task),
        # resolved, so that it can be read without Hydra; written last, as its presence marks a run
        "config.yaml": OmegaConf.to_yaml(config, resolve=True),
    }
    for name, text in parts.items():
        directory.replace(f".hydra/{name}", methodcaller("write", text.encode()))


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

    hydra.main(config_path=config_directory(), config_name="config", version_base="1.3")(task)()
    if failed:
        raise failed[0]
