"""Policy-gradient experiments: composed by Hydra, many seeds at once, browsed in TensorBoard.

Start reading at `run/run.py`: the loop of a run fits on its page. Each group under `conf/` is a module or folder here.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from pg_experiments.support.errors import FileError, NoSuchFile, UserError
from pg_experiments.support.openmp import bound_spinning
from pg_experiments.support.plugins import load, option

if TYPE_CHECKING:
    from pg_experiments.evaluation.loaded_run import LoadedRun

__all__ = ["FileError", "NoSuchFile", "UserError", "load_run", "option"]
__version__ = "0.2.0.dev0"

bound_spinning()  # before anything here imports torch


def load_run(
    path: str | PathLike[str], *, checkpoint: str | PathLike[str] = "best", seed: int | None = None
) -> LoadedRun:
    """Load what a run has learned, to act with it: `run.policy(observation)`, `run.make_env()`.

    It needs no Hydra, acts on the CPU wherever the run was trained, and executes nothing that the directory holds.
    Installed plugins are loaded; a run that needs another one (`--plugin ./my_env.py`) can be loaded after
    `import my_env`.

    Args:
        path: the run's directory, such as `outputs/DATE/TIME`.
        checkpoint: `best`: the parameters with which the seed's mean return was best (until its first full window, the
            last); `last`: those of the newest checkpoint; or the path of a checkpoint, whose last are meant.
        seed: which of the run's seeds; None: the one whose best mean return is the highest.

    Raises:
        pg_experiments.NoSuchFile: there is no such run or checkpoint.
        pg_experiments.FileError: a file of the run cannot be read, is damaged, or belongs to another run. The
            text names it.
        pg_experiments.UserError: the run has no such seed, or its environment cannot be made here. The two
            errors above are UserErrors, too, and the text of each is one line.
    """
    load()
    from pg_experiments.evaluation.loaded_run import SavedRun  # here and not above: torch takes a second to import

    return SavedRun.open(path, checkpoint).of(seed)
