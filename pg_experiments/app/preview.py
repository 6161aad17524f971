"""`preview=true`: prints the jobs of a command as a table without running them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict

from pg_experiments.app.combinations import jobs_of
from pg_experiments.app.composing import composing, plain
from pg_experiments.app.sweep import is_plain, place_of
from pg_experiments.app.sweep_seeds import single_seed_note
from pg_experiments.app.tables import console, table
from pg_experiments.support.errors import UserError
from pg_experiments.support.identity import identity
from pg_experiments.support.interruption import deferred
from pg_experiments.support.run_directory import state


class Planned(NamedTuple):
    """A job that a command would run."""

    differs: str
    directory: Path
    state: str


def preview(directories: Sequence[Path], config_name: str, overrides: Sequence[Override], *, sweeping: bool) -> None:
    """Print the jobs: number, what differs, directory, and state (new, done, failed, …).

    Args:
        directories: config directories, the project's first.
        config_name: the primary config.
        overrides: the overrides of the command line.
        sweeping: whether the command is a sweep.

    Raises:
        UserError: the sweeper chooses jobs during the sweep, or a job's configuration or directory is invalid.
    """
    jobs, note = _planned(directories, config_name, overrides, sweeping)
    rows = [(str(number), job.differs, job.directory.name, job.state) for number, job in enumerate(jobs)]
    out = console()
    out.print(table(("job", "what differs", "directory", "state"), rows))
    counts = ", ".join(f"{count} {name}" for name, count in Counter(job.state for job in jobs).items())
    out.print(f"{counts}; in {os.path.relpath(jobs[0].directory.parent)}; nothing was run", soft_wrap=True)
    if note:
        out.print(note)


def _planned(
    directories: Sequence[Path], config_name: str, overrides: Sequence[Override], sweeping: bool
) -> tuple[list[Planned], str | None]:
    """The jobs, and the note on a sweep with single seeds."""
    with deferred():
        from pg_experiments.run.config import check

    swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
    planned = []
    with composing(directories, config_name) as compose:
        shared = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
        base = compose(shared)
        if not is_plain(base.hydra):
            raise UserError("preview=true: this sweeper chooses its jobs as it goes; expected hydra/sweeper=basic")
        jobs = jobs_of([str(override.input_line) for override in overrides], compose.loader)
        for number, job in enumerate(jobs):
            config = compose(job)
            directory = _directory(config, number, sweeping)
            composed = plain(config)
            check(composed, [override.partition("=")[0] for override in job])
            place = place_of(directory.parent, identity(composed), otherwise=directory) if sweeping else directory
            differs = " ".join(override for override in job if override.partition("=")[0] in swept)
            planned.append(Planned(differs, place, state(place)))
    return planned, single_seed_note(jobs, int(base.num_seeds)) if sweeping else None


def _directory(config: DictConfig, number: int, sweeping: bool) -> Path:
    """The output directory that Hydra would use for the job."""
    with open_dict(config):
        config.hydra.job.num = number
    if not sweeping:
        return Path(config.hydra.run.dir).absolute()
    return Path(config.hydra.sweep.dir).absolute() / str(config.hydra.sweep.subdir)
