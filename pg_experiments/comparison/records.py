"""Run directories as they are found: each one's result, configuration and metrics, or why it does not count.

They may be a stranger's, so they are read as plain data: nothing that a file says is looked up, resolved or called.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pg_experiments.errors import UserError, as_yaml, by_nearness, one_line

RESULT = "result.json"


@dataclass(frozen=True)
class Seed:
    """One seed of a run, and its rows of `metrics.csv`."""

    seed: int
    solved: bool
    episodes_to_solve: int | None
    env_steps: np.ndarray  # [U] agent steps since the start, one entry per update
    episodes: np.ndarray  # [U] likewise
    values: Mapping[str, np.ndarray]  # column -> [U]; NaN where the cell is empty
    error: str | None = None  # what stopped it where its learning went wrong


@dataclass(frozen=True)
class Run:
    """One run directory."""

    path: Path
    settings: Mapping[str, str] = field(default_factory=dict)  # dotted key -> value, as on a command line
    overrides: tuple[str, ...] = ()
    problem: str | None = None  # why it does not count; None where it does
    env_steps: int = 0  # of all its seeds
    wall_time_s: float = 0.0
    seeds: tuple[Seed, ...] = ()

    @property
    def limits(self) -> tuple[str | None, str | None]:
        """How long each seed may play at most."""
        return self.settings.get("env.max_episodes"), self.settings.get("env.max_steps")


def find_runs(directories: Sequence[Path]) -> list[Path]:
    """Every directory that holds a `result.json`, at any depth, in the order of the jobs' numbers.

    Raises:
        UserError: a directory does not exist, or there is no run in it.
    """
    found: dict[Path, Path] = {}
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"sweep={directory}: no such directory")
        below = []
        for folder, folders, files in os.walk(directory):
            if RESULT in files:
                below.append(Path(folder))
                folders.clear()  # a run holds no runs
        if not below:
            raise UserError(f"sweep={directory}: holds no run, which would have a {RESULT}")
        for path in sorted(below, key=lambda path: _natural(str(path.relative_to(directory)))):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _natural(text: str) -> list[tuple[float, str]]:
    """A key that sorts 2 before 10, and both before a letter."""
    return [(int(part), "") if part.isdecimal() else (math.inf, part) for part in re.split(r"(\d+)", text) if part]


def read_run(path: Path, columns: Sequence[str]) -> Run:
    """One run with those columns of its metrics. What cannot be read is a run with a problem, not an error.

    Raises:
        UserError: the metrics can be read, and a column is not among them.
    """
    settings: dict[str, str] = {}
    overrides: tuple[str, ...] = ()
    try:
        settings = flat(read_yaml(path / ".hydra" / "config.yaml"))
        if (path / ".hydra" / "overrides.yaml").exists():
            overrides = tuple(one_line(str(o)) for o in read_yaml(path / ".hydra" / "overrides.yaml") or [])
        result = json.loads((path / RESULT).read_text(encoding="utf-8") or "{}")
        problem = _problem(result)
        if problem is not None:
            return Run(path, settings, overrides, problem)
        seeds = _seeds(path / "metrics.csv", result["seeds"], columns)
        return Run(path, settings, overrides, None, int(result["env_steps"]), float(result["wall_time_s"]), seeds)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        return Run(path, settings, overrides, f"cannot be read: {one_line(f'{type(error).__name__}: {error}')}")


def read_yaml(file: Path) -> Any:
    """Plain data: tags that would make an object of a class are refused, and interpolations stay as they are."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted keys, and values as on a command line; a whole number is written as one, be it a float or not."""
    dotted: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            dotted |= flat(value, f"{prefix}{key}.")
        else:
            whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
            dotted[one_line(f"{prefix}{key}")] = one_line(as_yaml(int(value) if whole else value))
    return dotted


def _problem(result: Mapping[str, Any]) -> str | None:
    status = result.get("status")
    if status == "done" or _learning_went_wrong(result):
        return None
    if status == "failed":
        return f"failed: {one_line(str(result.get('error')))}"
    if status == "running":
        return f"running, or killed: the last that it wrote is of update {result.get('updates')}"
    if status == "interrupted":
        return f"interrupted after {result.get('updates')} updates"
    return "has only begun" if not result else f"has an unknown status: {status}"


def _learning_went_wrong(result: Mapping[str, Any]) -> bool:
    """Whether a run failed because each of its seeds did: that is what its configuration does, and no accident."""
    seeds = result.get("seeds") or [{}]
    return result.get("status") == "failed" and all(seed.get("error") is not None for seed in seeds)


def _seeds(file: Path, results: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> tuple[Seed, ...]:
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        header = next(reader)
        by_column = dict(zip(header, zip(*reader, strict=True), strict=False))
    for column in columns:
        if column not in header:
            raise UserError(f"metric={column}: no such column; {file} has {', '.join(by_nearness(column, header))}")
    table = {name: _numbers(by_column.get(name, ())) for name in {"seed", "env_steps", "episodes", *columns}}
    seeds = []
    for result in results:
        rows = np.flatnonzero(table["seed"] == result["seed"])
        to_solve = result["episodes_to_solve"]
        seeds.append(
            Seed(
                seed=int(result["seed"]),
                solved=bool(result["solved"]),
                episodes_to_solve=None if to_solve is None else int(to_solve),
                env_steps=table["env_steps"][rows],
                episodes=table["episodes"][rows],
                values={column: table[column][rows] for column in columns},
                error=None if result.get("error") is None else one_line(str(result["error"])),
            )
        )
    return tuple(seeds)


def _numbers(cells: Sequence[str]) -> np.ndarray:
    return np.array([float(cell) if cell else np.nan for cell in cells])
