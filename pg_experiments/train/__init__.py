"""Composing, training, resuming and sweeping from Python. `python -m pg_experiments.train` is the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pg_experiments.app.config import Config
    from pg_experiments.app.updates import Update
    from pg_experiments.evaluation.loaded_run import LoadedRun

# The imports in the functions are deferred, so that the package is quick to import.


def compose(*overrides: str | Mapping[str, object] | Config) -> Config:
    """Compose and check the config of a run, without training it.

    Args:
        overrides: texts as on the command line, `"policy.hidden=64"`; mappings of keys to values, dotted or nested,
            `{"env": "pong", "policy": {"hidden": [64, 64]}}`; or a config from `compose`. Later ones take precedence.

    Returns:
        The config: `print(config)` shows it as YAML, `config["policy.hidden"]` is one value, and `train` takes it.

    Raises:
        pg_experiments.UserError: a key or an option does not exist, a value does not fit, or options conflict. The
            message is the line that the command prints.
        TypeError: an override is not of these types.
    """
    from pg_experiments.app.python_calls import compose_config

    return compose_config(overrides)


def train(
    *overrides: str | Mapping[str, object] | Config,
    directory: str | PathLike[str] | None = None,
    progress: bool = True,
    callback: Callable[[Update], object] | None = None,
) -> LoadedRun:
    """Train a run until each seed is solved, failed or at a limit, as `python -m pg_experiments.train` does.

    Ctrl-C stops the run after the current update and its checkpoint, and raises KeyboardInterrupt. Runs of several
    threads train one after another. Signals are handled in the main thread only.

    Args:
        overrides: as those of `compose`.
        directory: the run's directory; None: a new one, `outputs/DATE/TIME`.
        progress: whether settings, progress and result are printed. Warnings are also in `train.log`.
        callback: called after each update. Where it returns True, the run saves a checkpoint and stops; its status is
            `interrupted`, and `resume` continues it in the same bits.

    Returns:
        The run as `load_run` loads it: the seed with the highest best mean return, with its best parameters.

    Raises:
        pg_experiments.UserError: as `compose`; or the directory already holds a run, or cannot be written.
        FloatingPointError: learning failed for every seed.
        TypeError: an override is not of these types.
        An exception of the callback is not caught; the status of the run is then `failed`, and `resume` continues it
            from its last checkpoint.
    """
    from pg_experiments.app.python_calls import train_run

    return train_run(overrides, directory, progress, callback)


def resume(
    directory: str | PathLike[str],
    *overrides: str | Mapping[str, object],
    progress: bool = True,
    callback: Callable[[Update], object] | None = None,
) -> LoadedRun:
    """Resume a run in its directory, as `resume=DIR` does: bit for bit as without the interruption.

    Args:
        directory: of the run; `latest`: the newest one below `outputs` and `multirun`.
        overrides: settings that may change, such as a longer `env.max_episodes`; texts or mappings.
        progress: as in `train`.
        callback: as in `train`.

    Returns:
        The run as `load_run` loads it. A run that is done, and has no longer limit, is loaded as it is.

    Raises:
        pg_experiments.UserError: there is no run, an override would make it another run, or it cannot be resumed.
        FloatingPointError: learning failed for every seed.
    """
    from pg_experiments.app.python_calls import resume_run

    return resume_run(directory, overrides, progress, callback)


def sweep(
    grid: Mapping[str, object],
    *overrides: str | Mapping[str, object] | Config,
    directory: str | PathLike[str] | None = None,
    progress: bool = True,
    callback: Callable[[Update], object] | None = None,
) -> list[LoadedRun]:
    """Train every combination of some values, one after another, as `python -m pg_experiments.train -m` does.

    All configs are checked before the first one is trained. With the directory of an earlier call, or of the command,
    jobs that are done are loaded, and interrupted ones are resumed.

    Args:
        grid: the values of each key, `{"policy.hidden": [64, 128], "baseline": ["none", "value"]}`, dotted or nested.
        overrides: what all jobs share, as in `compose`.
        directory: of the sweep; None: a new one, `multirun/DATE/TIME`. Each job has a folder in it.
        progress: as in `train`.
        callback: as in `train`. True stops the job; the sweep continues with the next one.

    Returns:
        The run of each job, in the order of the combinations: the last key varies fastest.

    Raises:
        pg_experiments.UserError: as `compose`; or jobs of the directory had another configuration; or jobs have failed,
            which is raised after the others have been trained.
        TypeError: the values of a key are not a list.
    """
    from pg_experiments.app.python_calls import sweep_runs

    return sweep_runs(grid, overrides, directory, progress, callback)
