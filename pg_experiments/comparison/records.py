"""Reads run directories: result, configuration and metrics of each run, or the reason why it is excluded.

Directories are not trusted. Files are read as plain data: no name in them is imported, resolved or called. A run that
cannot be read is listed and does not stop the comparison of the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from pg_experiments.comparison.curves import METRICS, Curve, NoSuchColumn, read_curves
from pg_experiments.comparison.made_with import MadeWith, made_with
from pg_experiments.support.errors import UserError, as_yaml, one_line, shown
from pg_experiments.support.files import RESULT_LIMIT, Directory, FileError
from pg_experiments.support.identity import flat
from pg_experiments.support.legacy import upgraded
from pg_experiments.support.plain_data import read_group, read_json, read_yaml
from pg_experiments.support.typed import checked_fields

RESULT = "result.json"
CONFIG = ".hydra/config.yaml"
OVERRIDES = ".hydra/overrides.yaml"
LONGEST = 1000  # characters of a key or a value of a configuration
MOST_KEYS = 1000  # of a configuration
Count = Annotated[int, Ge(0), Le(2**63)]
TOTALS = {"env_steps": Count, "wall_time_s": Annotated[float, Ge(0), Le(1e12)], "seeds": list[dict[str, Any]]}
OF_SEED = {"seed": Annotated[int, Ge(0)], "solved": bool, "episodes_to_solve": Count | None, "error": str | None}


@dataclass(frozen=True)
class Seed:
    """One seed of a run, and its rows of `metrics.csv`."""

    seed: int
    solved: bool
    episodes_to_solve: int | None
    env_steps: np.ndarray  # [U] agent steps since the start, one entry per update
    episodes: np.ndarray  # [U] likewise
    values: Mapping[str, np.ndarray]  # column -> [U]; NaN where the cell is empty
    error: str | None = None  # reason where its learning failed


@dataclass(frozen=True)
class Run:
    """One run directory."""

    path: Path
    settings: Mapping[str, str] = field(default_factory=dict)  # dotted key -> value, as on a command line
    overrides: tuple[str, ...] = ()
    problem: str | None = None  # reason why it is excluded; None where it is not
    env_steps: int = 0  # of all its seeds
    wall_time_s: float = 0.0
    seeds: tuple[Seed, ...] = ()
    made_with: MadeWith = ()

    @property
    def limits(self) -> tuple[str | None, str | None]:
        """The limits of each seed: `env.max_episodes` and `env.max_steps`."""
        return self.settings.get("env.max_episodes"), self.settings.get("env.max_steps")


def read_runs(directories: Sequence[Path], columns: Sequence[str]) -> list[Run]:
    """Read every run below the directories, with these columns of its metrics.

    Raises:
        UserError: a directory cannot be read or has no run in it, or a column is missing and no run can be compared.
    """
    runs, missing = [], None
    for found in find_runs(directories):
        try:
            runs.append(found if found.problem else read_run(found.path, columns))
        except NoSuchColumn as error:
            missing = missing or error
            runs.append(Run(found.path, problem=f"cannot be compared: {one_line(str(error))}"))
    if missing is not None and all(run.problem for run in runs):
        raise missing
    return runs


def find_runs(directories: Sequence[Path]) -> list[Run]:
    """Find every directory with a `result.json`, at any depth, in the order of job numbers. Files are not read.

    A folder that cannot be listed is returned as a run with a problem, and so is a link, which is not followed.

    Raises:
        UserError: a directory does not exist or cannot be read, or there is no run in it.
    """
    found: dict[Path, Run] = {}
    for directory in directories:
        below = list(_below(directory))
        if all(run.problem for run in below):
            hint = "".join(f"; {run.path}: {run.problem}" for run in below[:1])
            raise UserError(f"sweep={directory}: holds no run, which would have a {RESULT}{hint}")
        for run in sorted(below, key=lambda run: _natural(str(run.path.relative_to(directory)))):
            found.setdefault(run.path.parent.resolve() / run.path.name, run)
    return list(found.values())


def _below(directory: Path) -> Iterator[Run]:
    unreadable: list[tuple[str, FileError]] = []
    for folder, entries in Directory(directory).walk(lambda *failed: unreadable.append(failed)):
        path = directory / folder
        if any(entry.name == RESULT for entry in entries):
            yield Run(path)
            entries.clear()  # runs are not nested
        for entry in entries:
            if entry.kind == "link" and not entry.name.startswith("."):
                yield Run(path / entry.name, problem="is a link, and none is followed; name what it leads to in sweep=")
    for folder, error in unreadable:
        if folder == ".":
            raise UserError(f"sweep={error}")
        yield Run(directory / folder, problem=_within(directory / folder, error))


def _natural(text: str) -> list[tuple[float, str]]:
    """A key for natural sorting: 2 before 10, and numbers before letters."""
    return [(float(part), "") if part.isdecimal() else (math.inf, part) for part in re.split(r"(\d+)", text) if part]


def read_run(path: Path, columns: Sequence[str]) -> Run:
    """Read one run with these columns of its metrics. A run that cannot be read is returned with a problem.

    Raises:
        NoSuchColumn: the metrics of the run do not have one of the columns.
    """
    directory = Directory(path)
    settings: dict[str, str] = {}
    overrides: tuple[str, ...] = ()
    try:
        settings = _settings(directory)
        overrides = _overrides(directory)
        result = _result(directory)
        problem = _problem(result)
        if problem is not None:
            return Run(path, settings, overrides, problem)
        totals = _checked(directory, TOTALS, result, "")
        seeds = _seeds(directory, totals["seeds"], columns)
        times = totals["env_steps"], float(totals["wall_time_s"])
        return Run(path, settings, overrides, None, *times, seeds, made_with(result))
    except FileError as error:
        return Run(path, settings, overrides, _within(path, error))


def _within(path: Path, error: FileError) -> str:
    """The message of an error, with the file's name relative to the run's directory."""
    text = one_line(str(error).removeprefix(f"{path}/").removeprefix(f"{path}: "))
    return text if text.startswith("cannot be read") else f"cannot be read: {text}"


def _settings(directory: Directory) -> dict[str, str]:
    config = flat(upgraded(read_group(directory, CONFIG)))
    settings = {one_line(key): _as_typed(value) for key, value in config.items()}
    longest = max((len(text) for pair in settings.items() for text in pair), default=0)
    if len(settings) > MOST_KEYS or longest > LONGEST:
        limits = f"at most {MOST_KEYS} keys, and {LONGEST} characters of a key or a value"
        raise FileError(f"{directory.path / CONFIG}: expected {limits}")
    return settings


def _overrides(directory: Directory) -> tuple[str, ...]:
    if not directory.has_file(OVERRIDES):
        return ()
    overrides = read_yaml(directory, OVERRIDES)
    if not isinstance(overrides, list | None):
        raise FileError(f"{directory.path / OVERRIDES}: expected a list")
    return tuple(one_line(str(override)) for override in overrides or [])


def _as_typed(value: Any) -> str:
    """A value as on a command line; a float that is an integer is written as an integer."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return one_line(as_yaml(int(value) if whole else value))


def _result(directory: Directory) -> dict[str, Any]:
    if directory.has_file(RESULT) and directory.status(RESULT).st_size == 0:
        return {}
    result = read_json(directory, RESULT, RESULT_LIMIT)
    if not isinstance(result, dict):
        raise FileError(f"{directory.path / RESULT}: expected a group of keys")
    return result


def _problem(result: Mapping[str, Any]) -> str | None:
    status = result.get("status")
    if status == "done" or _all_seeds_failed(result):
        return None
    if status == "failed":
        return f"failed: {one_line(str(result.get('error')))}"
    if status == "running":
        return f"running, or killed: the last that it wrote is of update {shown(result.get('updates'))}"
    if status == "interrupted":
        return f"interrupted after {shown(result.get('updates'))} updates"
    return "has only begun" if not result else f"has an unknown status: {shown(status)}"


def _all_seeds_failed(result: Mapping[str, Any]) -> bool:
    """Whether a run failed because learning failed for each of its seeds, which is an outcome of its configuration."""
    seeds = result.get("seeds")
    if result.get("status") != "failed" or not isinstance(seeds, list) or not seeds:
        return False
    return all(isinstance(seed, dict) and seed.get("error") is not None for seed in seeds)


def _checked(directory: Directory, hints: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Check keys of a part of `result.json` against their annotations; other keys are ignored."""
    try:
        return checked_fields(hints, {key: values[key] for key in hints if key in values}, prefix)
    except UserError as error:
        raise FileError(f"{directory.path / RESULT}: {error}") from None


def _seeds(directory: Directory, results: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> tuple[Seed, ...]:
    checked: dict[int, dict[str, Any]] = {}
    for number, values in enumerate(results):
        result = _checked(directory, OF_SEED, {"error": None, **values}, f"seeds.{number}.")
        if result["seed"] in checked:
            raise FileError(f"{directory.path / RESULT}: seeds.{number}.seed={result['seed']}: is there twice")
        checked[result["seed"]] = result
    curves = read_curves(directory, columns, checked)
    for seed, curve in curves.items():
        if curve.wrong is not None and checked[seed]["error"] is None:
            raise FileError(f"{directory.path / METRICS}: is damaged ({curve.wrong})")
    return tuple(_seed(checked[seed], curve, columns) for seed, curve in curves.items())


def _seed(result: Mapping[str, Any], curve: Curve, columns: Sequence[str]) -> Seed:
    return Seed(
        seed=result["seed"],
        solved=result["solved"],
        episodes_to_solve=result["episodes_to_solve"],
        env_steps=np.array(curve.env_steps, dtype=np.float64),
        episodes=np.array(curve.episodes, dtype=np.float64),
        values=curve.columns(columns),
        error=None if result["error"] is None else one_line(result["error"]),
    )
