"""Policy-gradient experiments: composed by Hydra, many seeds at once, browsed in TensorBoard.

Start reading at `run/run.py`: the loop of a run fits on its page. Each group under `conf/` is a module or folder here.
"""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

from pg_experiments.compare import compare
from pg_experiments.support.errors import FileError, NoSuchFile, UserError
from pg_experiments.support.openmp import bound_spinning
from pg_experiments.support.plugins import load, option
from pg_experiments.train import compose, resume, sweep, train
from pg_experiments.variance import variance

if TYPE_CHECKING:
    from pg_experiments.app.config import Config
    from pg_experiments.app.updates import Update
    from pg_experiments.comparison.comparison import Comparison
    from pg_experiments.estimators.measuring import Variances
    from pg_experiments.evaluation.loaded_run import LoadedRun

__all__ = [
    "Comparison",
    "Config",
    "FileError",
    "LoadedRun",
    "NoSuchFile",
    "Update",
    "UserError",
    "Variances",
    "compare",
    "compose",
    "load_plugin",
    "load_run",
    "option",
    "resume",
    "sweep",
    "train",
    "variance",
]
__version__ = "0.2.0.dev0"

bound_spinning()  # before anything here imports torch

_LAZY = {  # classes whose modules are slow to import
    "Comparison": "comparison.comparison",
    "Config": "app.config",
    "LoadedRun": "evaluation.loaded_run",
    "Update": "app.updates",
    "Variances": "estimators.measuring",
}


def __getattr__(name: str) -> Any:
    """Import a class when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def load_plugin(plugin: str | PathLike[str]) -> None:
    """Load a plugin in this process, as the flag `--plugin` does. Installed plugins are loaded without it.

    Args:
        plugin: a module, or a file such as `./my_env.py`. Its options and environments, and those of the folder `conf/`
            beside it, are then known to all functions.

    Raises:
        pg_experiments.UserError: there is no such module, or it cannot be imported.
    """
    load([str(plugin)])


def load_run(
    path: str | PathLike[str], *, checkpoint: str | PathLike[str] = "best", seed: int | None = None
) -> LoadedRun:
    """Load the trained policy of a run: `run.policy(observation)` and `run.make_env()`.

    Hydra is not needed. The policy acts on the CPU, on whichever device the run was trained. No code from the directory
    is executed.
    Installed plugins are loaded; a run that needs another one (`--plugin ./my_env.py`) can be loaded after
    `import my_env`.

    Args:
        path: the run's directory, such as `outputs/DATE/TIME`.
        checkpoint: `best`: the parameters at the seed's best mean return (until its first full window, the last
            parameters); `last`: the parameters of the newest checkpoint; or the path of a checkpoint, for its last
            parameters.
        seed: one of the run's seeds; None: the seed with the highest best mean return.

    Raises:
        pg_experiments.NoSuchFile: there is no such run or checkpoint.
        pg_experiments.FileError: a file of the run cannot be read, is damaged, or belongs to another run. The
            message names the file.
        pg_experiments.UserError: the run has no such seed, or its environment cannot be made here. Both errors above
            are subclasses. Each message is one line.
    """
    load()
    from pg_experiments.evaluation.saved_run import SavedRun  # deferred: torch takes a second to import

    return SavedRun.open(path, checkpoint).of(seed)
