"""Reconstructs the command of a sweep or a run from Hydra's files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pg_experiments.support.files import Directory, FileError
from pg_experiments.support.plain_data import read_group, read_yaml
from pg_experiments.support.plugins import VARIABLE

NOT_TYPED = (
    "hydra.mode=",
    "hydra.job.config.override_dirname.exclude_keys=",
    f"+hydra.job.env_set.{VARIABLE}=",
    "+hydra/launcher_settings@",
)
TRAIN = ("python", "-m", "pg_experiments.train")


def commands(directories: Sequence[Path]) -> list[str]:
    """The shell commands of sweeps or runs.

    A command is left out where Hydra's files cannot be read, or where it has a character that is not printable.
    """
    made = (_command(directory, _sweep) or _command(directory, _run) for directory in directories)
    return [command for command in made if command]


def _command(directory: Path, words: Callable[[Directory], list[str]]) -> str | None:
    try:
        command = shlex.join(words(Directory(directory)))
    except (FileError, LookupError, TypeError, AttributeError):
        return None
    return command if command.isprintable() else None


def _sweep(directory: Directory) -> list[str]:
    hydra = read_group(directory, "multirun.yaml")["hydra"]
    return [*TRAIN, "-m", *_flags(hydra), *_texts(hydra["overrides"]["task"]), *_hydra_overrides(hydra)]


def _run(directory: Directory) -> list[str]:
    typed = _texts(read_yaml(directory, ".hydra/overrides.yaml") or [])
    hydra = read_group(directory, ".hydra/hydra.yaml")["hydra"]
    return [*TRAIN, *_flags(hydra), *typed, *_hydra_overrides(hydra)]


def _texts(values: Any) -> list[str]:
    """Convert a list to a list of texts. Raises TypeError for other values."""
    if not isinstance(values, list):
        raise TypeError("expected a list")
    return [str(value) for value in values]


def _hydra_overrides(hydra: Any) -> list[str]:
    """The overrides of keys of Hydra that the user typed."""
    return [override for override in _texts(hydra["overrides"]["hydra"]) if not override.startswith(NOT_TYPED)]


def _flags(hydra: Any) -> list[str]:
    """The flags `--config-dir`, from Hydra's config sources, and `--plugin`, from the environment of jobs."""
    sources = hydra["runtime"]["config_sources"]
    own = [source["path"] for source in sources if source["provider"] == "command-line"]
    plugins = str(hydra.get("job", {}).get("env_set", {}).get(VARIABLE) or "").split(os.pathsep)
    flags = [("--config-dir", path) for path in own] + [("--plugin", plugin) for plugin in plugins if plugin]
    return [part for flag in flags for part in flag]
