"""Jobs of a sweep, identified by their configuration, so that repeating the command resumes the sweep."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from pg_experiments.app.combinations import jobs_of
from pg_experiments.app.composing import Compose, plain
from pg_experiments.app.launchers import import_libraries
from pg_experiments.app.places import refuse_directory, refuse_one_place
from pg_experiments.app.sweep_seeds import single_seed_note
from pg_experiments.support.errors import UserError, one_line, printable
from pg_experiments.support.files import Directory, Entry, FileError
from pg_experiments.support.identity import CONFIG, differences, identity, in_words
from pg_experiments.support.plain_data import read_group, read_yaml
from pg_experiments.support.run_directory import read_result, state

INDEX = ".jobs"  # in a sweep's directory: one file for each configuration, with the name of its job's directory
OVERRIDES = ".hydra/overrides.yaml"  # in a job's directory
WRITTEN_OUT = re.compile(r"[\w./@]+=[\w.+-]*")  # an override whose value is a number or a name


def _job_name(name: str) -> str:
    """The name of a job's directory; slashes are replaced where the name would lead out of the sweep."""
    return name.replace("/", "_") if _leads_out(name) else name


def _leads_out(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts


# used in `hydra.sweep.subdir`, as Hydra creates the directory before a job starts
OmegaConf.register_new_resolver("job_name", _job_name, replace=True)


class Begun(Callback):
    """Callback of Hydra at the start of a sweep. Stores the sweep's directory and jobs for the report at its end."""

    directory: Path | None = None
    jobs: list[list[str]] | None = None  # the overrides of each; None where the sweeper chooses them during the sweep

    @classmethod
    def forget(cls) -> None:
        """Reset the state, as the process may have run another command."""
        cls.directory, cls.jobs = None, None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        try:
            Begun.directory, Begun.jobs = _checked(config)
        except (UserError, HydraException) as error:
            sys.exit(f"error: {one_line(str(error))}")  # Hydra only warns of an Exception in a callback
        if Begun.jobs is not None:
            _announce(Begun.directory, Begun.jobs, int(config.num_seeds))
        import_libraries(_target(config, part) for part in ("launcher", "sweeper"))


def _announce(directory: Path, jobs: Sequence[Sequence[str]], num_seeds: int) -> None:
    print(printable(f"sweep of {len(jobs)} jobs in {os.path.relpath(directory)}"), flush=True)
    if note := single_seed_note(jobs, num_seeds):
        print(printable(note), flush=True)


def _checked(config: DictConfig) -> tuple[Path, list[list[str]] | None]:
    """Validate a sweep. Returns its directory, and the overrides of its jobs where they are known beforehand."""
    sweep = config.hydra.sweep
    for part in ("launcher", "sweeper"):
        if not _target(config, part):
            raise UserError(f"hydra.{part}: expected the keys of one; hydra/{part}=NAME chooses it")
    refuse_directory("hydra.sweep.dir", sweep.dir)
    directory = Path(sweep.dir).absolute()
    _refuse_links(Directory(directory))
    params = config.hydra.sweeper.get("params") or {}
    overrides = [*(f"{key}={value}" for key, value in params.items()), *config.hydra.overrides.task]
    jobs = jobs_of(overrides, GlobalHydra.instance().config_loader()) if is_plain(config.hydra) else None
    as_written = cast("dict[str, Any]", OmegaConf.to_container(sweep, resolve=False))
    if _leads_out(str(as_written["subdir"])):
        raise UserError("hydra.sweep.subdir: expected a path within hydra.sweep.dir")
    refuse_one_place(as_written["subdir"], jobs)
    return directory, jobs


def _target(config: DictConfig, part: str) -> str:
    """The dotted name of the class of the launcher or sweeper; empty where the config has none."""
    chosen = config.hydra[part]
    return str(chosen.get("_target_") or "") if isinstance(chosen, DictConfig) else ""


def _refuse_links(sweep: Directory) -> None:
    """Raises FileError where a sweep's directory has a link that leads out of it, a FIFO or a device.

    Hydra, launchers and sweepers write there without such checks; some create links within it. The folders of a job are
    checked by the job.
    """
    for folder, entries in sweep.walk(_fail):
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.kind == "other" or (entry.kind == "link" and not sweep.leads_inside(name)):
                sweep.has_file(name)
        if folder != "." and Entry(".hydra", "folder") in entries:
            entries.clear()


def _fail(_: str, error: FileError) -> NoReturn:
    raise error


def is_plain(hydra: Any) -> bool:
    """Whether the sweeper in a config's `hydra` node runs a grid, rather than jobs that it chooses."""
    return str(hydra.sweeper._target_).endswith(".BasicSweeper")


class JobFailed(Exception):  # noqa: N818  (named after the event)
    """A job of a sweep failed; its directory has the traceback."""


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]


def place_of(sweep: Path, values: Mapping[str, Any], otherwise: Path) -> Path:
    """The directory of the sweep's job with this identity; `otherwise` where there is none.

    Raises:
        UserError: the directory holds a job with another identity (the job numbers have changed, or `resume=` has
            changed it), or is not within the sweep's.
    """
    files, noted = Directory(sweep), f"{INDEX}/{_digest(values)}"
    name = files.read_text(noted) if files.has_file(noted) else ""
    name = name or os.path.relpath(otherwise, sweep)
    if name == ".":
        raise UserError(f"{sweep}: is the sweep's own directory; expected one within it for each job")
    files.has_folder(name)
    place = sweep / name
    if state(place) != "new":
        _refuse_another(place, values)
    return place


def note_place(sweep: Path, values: Mapping[str, Any], place: Path) -> None:
    """Record the directory of the job with this identity in the sweep's index."""
    files = Directory(sweep)
    files.make_folder(INDEX)
    files.replace(f"{INDEX}/{_digest(values)}", lambda file: file.write(os.path.relpath(place, sweep).encode()))


def done_before(place: Path) -> float | None:
    """The objective of a job that is done; None for other jobs."""
    result = read_result(place)
    if result is None or result["status"] != "done":
        return None
    objective = result.get("objective")
    return float(objective) if isinstance(objective, int | float) else math.nan


def overrides_of(job: Path) -> list[str]:
    """The overrides recorded in a job's directory."""
    overrides = read_yaml(Directory(job), OVERRIDES)
    if not isinstance(overrides, list):
        raise UserError(f"{job / OVERRIDES}: expected a list of overrides; without it the job is not known as one")
    return [str(override) for override in overrides]


def refuse_changed(sweep: Path, overrides: Sequence[Override], compose: Compose) -> None:
    """Refuse to resume a sweep whose configuration has changed. Compares its first job, before any job starts.

    Raises:
        UserError: the first job's swept values now compose another configuration.
    """
    jobs = [sweep / PurePosixPath(name).parent.parent for name in Directory(sweep).glob(f"*/{OVERRIDES}")]
    if not jobs or state(first := jobs[0]) == "new":
        return
    swept = {override.get_key_element() for override in overrides if override.is_sweep_override()}
    shared = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    if not is_plain(compose(shared).hydra):
        return
    values = [override for override in overrides_of(first) if override.partition("=")[0] in swept]
    typed = {
        override for job in jobs_of([str(each.input_line) for each in overrides], compose.loader) for override in job
    }
    if not all(value in typed or WRITTEN_OUT.fullmatch(value) for value in values):
        return  # untrusted text, which composing would resolve; each job is compared again when it starts
    _refuse_another(first, identity(plain(compose([*shared, *values]))))


def _refuse_another(job: Path, values: Mapping[str, Any]) -> None:
    differ = differences(identity(read_group(Directory(job), CONFIG)), values)
    if differ:
        raise UserError(
            f"{os.path.relpath(job)}: this job ran with another configuration ({in_words(differ)}); choose another "
            "hydra.sweep.dir (from Python: directory)"
        )
