"""A sweep's jobs, each recognised by its configuration: the same command goes on where the last one stopped."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from pg_experiments.composing import Compose, plain
from pg_experiments.durable import replace_file
from pg_experiments.errors import UserError
from pg_experiments.identity import CONFIG, differences, identity, read_plain
from pg_experiments.run_directory import read_result, state

INDEX = ".jobs"  # in a sweep's directory: for each configuration a file that names its job's directory


class Begun(Callback):
    """Hydra's word that a sweep begins: it alone knows its directory, and whether its jobs are known beforehand."""

    directory: Path | None = None
    plain = True  # all combinations of what is swept

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        Begun.directory = Path(config.hydra.sweep.dir).absolute()
        Begun.plain = is_plain(config)


def is_plain(config: DictConfig) -> bool:
    """Whether the sweeper takes all combinations, instead of choosing jobs as it goes."""
    return str(config.hydra.sweeper._target_).endswith(".BasicSweeper")


class JobFailed(Exception):  # noqa: N818  (what happened, not what it is)
    """A job of a sweep failed; its own directory says how."""


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]


def place_of(sweep: Path, values: Mapping[str, Any], otherwise: Path) -> Path:
    """The directory of the sweep's job with this identity; `otherwise`, if there is none.

    Raises:
        UserError: a job with another identity is there: its number was another's, or `resume=` has changed it.
    """
    noted = sweep / INDEX / _digest(values)
    place = otherwise
    if noted.exists() and (name := noted.read_text(encoding="utf-8")):
        place = sweep / name
    if state(place) != "new":
        _refuse_another(place, values)
    return place


def note_place(sweep: Path, values: Mapping[str, Any], place: Path) -> None:
    """Remember where the job with this identity is."""
    noted = sweep / INDEX / _digest(values)
    noted.parent.mkdir(exist_ok=True)
    replace_file(noted, lambda file: file.write(os.path.relpath(place, sweep).encode()))


def done_before(place: Path) -> float | None:
    """The objective of a job that is done; None where there is still something to do."""
    result = read_result(place)
    if result is None or result["status"] != "done":
        return None
    return math.nan if result["objective"] is None else float(result["objective"])


def jobs_of(overrides: Sequence[Override]) -> list[list[str]]:
    """The overrides of each job of a sweep over all combinations."""
    return BasicSweeper.split_arguments(list(overrides), None)[0]


def overrides_of(job: Path) -> list[str]:
    """What a job's directory says that it was told."""
    file = job / ".hydra" / "overrides.yaml"
    told = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    if not isinstance(told, list):
        raise UserError(f"{file}: expected a list of overrides; without the file the job is not known as one")
    return [str(override) for override in told]


def refuse_changed(sweep: Path, overrides: Sequence[Override], compose: Compose) -> None:
    """Refuse to go on with a sweep whose jobs would now be others: told from its first job, before any begins.

    Raises:
        UserError: the same values of what is swept now compose another configuration.
    """
    first = next((file.parent.parent for file in sorted(sweep.glob("*/.hydra/overrides.yaml"))), None)
    if first is None or state(first) == "new":
        return
    swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
    shared = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    values = [override for override in overrides_of(first) if override.partition("=")[0] in swept]
    config = compose([*shared, *values])
    if is_plain(config):
        _refuse_another(first, identity(plain(config)))


def _refuse_another(job: Path, values: Mapping[str, Any]) -> None:
    differ = differences(identity(read_plain(job / CONFIG)), values)
    if differ:
        told = "; ".join(f"{key} was {before}, is {now}" for key, (before, now) in differ.items())
        raise UserError(
            f"{os.path.relpath(job)}: this job ran with another configuration ({told}); choose another hydra.sweep.dir"
        )
