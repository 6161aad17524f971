"""Composes, trains, resumes and sweeps for Python: what the commands do, without their process.

Hydra's `main` sets up logging, reads `sys.argv` and writes to its own directory; none of that happens here. Runs of
several threads train one after another, as torch's settings of threads belong to the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import PathLike, fspath
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from omegaconf import DictConfig, open_dict

from pg_experiments.app.combinations import jobs_of
from pg_experiments.app.command_line import config_directory, names_of_jobs, parse_overrides, read_overrides
from pg_experiments.app.composing import Compose, Composed, composing, without_hydra
from pg_experiments.app.config import Config
from pg_experiments.app.hints import Hints
from pg_experiments.app.job import train_alone, train_job
from pg_experiments.app.mistakes import explain, not_an_override
from pg_experiments.app.offered import offer
from pg_experiments.app.places import refuse_directory
from pg_experiments.app.python_values import Given, overrides_from, quoted, sweep_from
from pg_experiments.app.resume import find, resume
from pg_experiments.app.sweep import JobFailed, place_of, refuse_changed
from pg_experiments.app.sweep_progress import Progress
from pg_experiments.app.updates import Update, feedback
from pg_experiments.support import plugins
from pg_experiments.support.errors import UserError, one_line
from pg_experiments.support.feedback import Stopped
from pg_experiments.support.identity import identity
from pg_experiments.support.interruption import deferred
from pg_experiments.support.run_directory import state

if TYPE_CHECKING:
    from pg_experiments.evaluation.loaded_run import LoadedRun

Directory = str | PathLike[str]
Callback = Callable[[Update], object]
_TRAINING = RLock()  # held while a run trains


def compose_config(given: Sequence[Given]) -> Config:
    """The composed and checked config."""
    overrides = overrides_from(given)
    with _composing(overrides) as compose:
        config = compose(overrides)
    return _checked(tuple(overrides), _of_run(config))


def train_run(
    given: Sequence[Given], directory: Directory | None, progress: bool, callback: Callback | None
) -> LoadedRun:
    """Trains a new run, and loads it."""
    overrides = overrides_from(given)
    with _composing(overrides) as compose:
        config = compose([*overrides, *_place("hydra.run.dir", directory)])
        output = Path(config.hydra.run.dir).absolute()
        _complete(config, output, 0)
    composed = _of_run(config)
    _checked((), composed)
    with _TRAINING, suppress(Stopped):
        train_alone(composed, output, feedback(progress, callback))
    return _loaded(output)


def resume_run(which: Directory, given: Sequence[Given], progress: bool, callback: Callback | None) -> LoadedRun:
    """Resumes a run, and loads it."""
    overrides = overrides_from(given)
    with _explained(overrides):
        plugins.load()
        parsed = read_overrides(overrides)
        path = find(fspath(which))
    with _TRAINING, suppress(Stopped):
        resume(str(path), parsed, feedback(progress, callback))
    return _loaded(path)


def sweep_runs(
    grid: Mapping[str, object],
    given: Sequence[Given],
    directory: Directory | None,
    progress: bool,
    callback: Callback | None,
) -> list[LoadedRun]:
    """Trains every combination, one after another, and loads the runs."""
    swept = sweep_from(grid)
    keys = [override.partition("=")[0] for override in swept]
    shared = [override for override in overrides_from(given) if override.partition("=")[0] not in keys]
    jobs = _jobs([*shared, *swept], directory)
    failed = []
    with _TRAINING:
        Progress.forget()
        for composed, output, sweep in jobs:
            try:
                train_job(composed, output, sweep, len(jobs), feedback(progress, callback))
            except Stopped:
                pass
            except JobFailed as error:
                failed.append(str(error))
    places = [place_of(sweep, identity(composed.values), otherwise=output) for composed, output, sweep in jobs]
    failed += [f"{place.name}: another process is running it" for place in places if state(place) == "running"]
    if failed:
        where = jobs[0][2]
        raise UserError(
            f"{len(failed)} of {len(jobs)} jobs are not done ({one_line('; '.join(failed))}); the same call with "
            f"directory={str(where)!r} runs these again"
        )
    return [_loaded(place) for place in places]


def _jobs(overrides: list[str], directory: Directory | None) -> list[tuple[Composed, Path, Path]]:
    """The composed and checked jobs of a sweep, each with its directory and that of the sweep."""
    with _composing(overrides) as compose:
        overrides = [*overrides, *_place("hydra.sweep.dir", directory)]
        overrides += names_of_jobs(read_overrides(overrides))
        parsed = read_overrides(overrides)
        if directory is not None:
            refuse_changed(Path(directory), parsed, compose)
        configs = [compose(job) for job in jobs_of(overrides, compose.loader)]
        sweep = Path(configs[0].hydra.sweep.dir).absolute()
        jobs = []
        for number, config in enumerate(configs):
            _complete(config, sweep, number)
            output = sweep / str(config.hydra.sweep.subdir)
            jobs.append((_of_run(config), output, sweep))
    for composed, _, _ in jobs:
        _checked((), composed)
    return jobs


def _place(key: str, directory: Directory | None) -> list[str]:
    """The override for the directory of a run or a sweep."""
    if directory is None:
        return []
    refuse_directory("directory", fspath(directory))
    return [f"{key}={quoted(fspath(directory))}"]


def _complete(config: DictConfig, output: Path, number: int) -> None:
    """Set the keys of Hydra that are known when a run starts."""
    with open_dict(config):
        config.hydra.runtime.output_dir = str(output)
        config.hydra.job.num = number


def _of_run(config: DictConfig) -> Composed:
    return Composed(without_hydra(config), config.hydra)


def _checked(overrides: tuple[str, ...], composed: Composed) -> Config:
    with deferred():
        from pg_experiments.run.config import check, groups  # deferred: torch takes a second to import

    values = composed.values
    choices = {group: option for group, option in composed.choices.items() if group in groups()}
    return Config(overrides, choices, values, check(values, composed.overridden))


def _loaded(path: Path) -> LoadedRun:
    from pg_experiments.evaluation.saved_run import SavedRun

    return SavedRun.open(path, "best").of(None)


@contextmanager
def _composing(overrides: Sequence[str]) -> Iterator[Compose]:
    """Context for composing. Options of plugins are offered in it."""
    conf = Path(config_directory())
    with composing([conf]) as compose, _explained(overrides):
        plugins.load()
        offer(plugins.registered(), [*plugins.config_directories(), conf])
        parsed = read_overrides(overrides)
        if nameless := [str(each.input_line) for each in parsed if not each.key_or_group]:
            raise UserError(not_an_override(nameless[0], Hints([conf], "config", parsed)))
        yield compose


@contextmanager
def _explained(overrides: Sequence[str]) -> Iterator[None]:
    """Converts Hydra's errors about overrides to a UserError with the message of the command."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        parsed = parse_overrides(overrides)
        mistake = explain(error, parsed, Hints([Path(config_directory())], "config", parsed))
        if mistake is None:
            raise
        raise UserError(one_line(mistake)) from None
