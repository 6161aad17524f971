"""Reads a run's config and a checkpoint, and loads the policy of each of its seeds.

The directory is not trusted. Its config is validated data, and its checkpoint holds only tensors and numbers: no name
in either is imported, resolved or called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from pg_experiments.evaluation.loaded_run import LoadedRun, naming
from pg_experiments.run.checkpoint import newest_file, read
from pg_experiments.run.config import RunConfig, check
from pg_experiments.run.needs import refuse_missing
from pg_experiments.run.saved_parameters import (
    baseline_parameters,
    best_learner,
    best_parameters,
    last_parameters,
    update_of,
)
from pg_experiments.support.errors import FileError, NoSuchFile, UserError, one_line
from pg_experiments.support.files import Directory
from pg_experiments.support.identity import CONFIG, identity, refuse_another
from pg_experiments.support.legacy import upgraded, upgraded_state
from pg_experiments.support.plain_data import read_group
from pg_experiments.support.run_directory import RESULT, what_is_there


@dataclass(frozen=True)
class SavedRun:
    """A run's config, and the content of one of its checkpoints."""

    path: Path
    config: RunConfig
    file: Path  # the checkpoint
    state: Mapping[str, Any]  # content of the checkpoint
    update: int  # number of updates at the checkpoint
    best: bool  # whether to use each seed's parameters at its best mean return, rather than the last ones

    @classmethod
    def open(cls, directory: str | PathLike[str], which: str | PathLike[str]) -> SavedRun:
        """Read a run.

        Args:
            directory: the run's directory.
            which: `best`, `last`, or a checkpoint file, for its last parameters.

        Raises:
            NoSuchFile: there is no run or no checkpoint.
            FileError: a file cannot be read or is damaged, or the checkpoint is of another run.
            UserError: a plugin that the run needs is not loaded.
        """
        path = Path(directory)
        files = Directory(path)
        if not files.has_file(RESULT):
            raise NoSuchFile(f"{path}: {what_is_there(path)}")
        found = newest_file(path) if which in ("best", "last") else (Path(which), read(Path(which)))
        if found is None:
            raise NoSuchFile(f"{path}: the run has no checkpoint")
        file, state = found
        values = read_group(files, CONFIG)
        refuse_missing(files)
        try:
            config = check(upgraded(values))
        except UserError as error:
            raise FileError(f"{path / CONFIG}: {error}") from None
        with naming(file):
            refuse_another(state.get("config"), identity(values))
            state = upgraded_state(state)
            return cls(path, config, file, state, update_of(state), which == "best")

    @property
    def seeds(self) -> range:
        """The seeds of the configuration. The checkpoint may have another number of them, as it is not validated."""
        return range(self.config.seed, self.config.seed + self.config.num_seeds)

    def of(self, seed: int | None) -> LoadedRun:
        """Load one seed; None: the seed with the highest best mean return.

        Raises:
            FileError: the checkpoint does not hold parameters for this configuration.
            UserError: the run has no such seed, or its environment cannot be made here.
        """
        seeds, learners = self.seeds, self.config.num_seeds
        if seed is not None and seed not in seeds:
            near = min(max(seed, seeds[0]), seeds[-1])
            raise UserError(f"seed={seed}: the run has the seeds {seeds[0]} to {seeds[-1]}; the nearest is {near}")
        with naming(self.file):
            learner = best_learner(self.state, learners) if seed is None else seed - seeds[0]
            parameters_of = best_parameters if self.best else last_parameters
            update, parameters = parameters_of(self.state, learner, learners)
            return LoadedRun(self.path, self.config, seeds[learner], update, parameters)

    def load_baseline(self, seed: int, baseline: nn.Module) -> None:
        """Load the last parameters of a seed's baseline into one that was built for one learner.

        Raises:
            FileError: the checkpoint does not hold parameters for this configuration.
        """
        with naming(self.file):
            parameters = baseline_parameters(self.state, seed - self.seeds[0], self.config.num_seeds)
            try:
                baseline.load_state_dict(parameters)
            except RuntimeError as error:
                raise ValueError(one_line(str(error))) from None
