"""The command that made a sweep or a run, from what Hydra wrote down."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pg_experiments.comparison.records import read_yaml

NOT_TYPED = ("hydra.mode=", "hydra.job.config.override_dirname.exclude_keys=")


def commands(directories: Sequence[Path]) -> list[str]:
    """For each sweep or run its command, as a shell takes it; none where Hydra's files cannot be read."""
    made = (_sweep(directory) or _run(directory) for directory in directories)
    return [command for command in made if command]


def _sweep(directory: Path) -> str | None:
    try:
        hydra = read_yaml(directory / "multirun.yaml")["hydra"]
        typed = [str(override) for override in hydra["overrides"]["task"]]
        typed += [o for o in map(str, hydra["overrides"]["hydra"]) if not o.startswith(NOT_TYPED)]
        return shlex.join(["python", "-m", "pg_experiments.train", "-m", *_config_directory(hydra), *typed])
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None


def _run(directory: Path) -> str | None:
    try:
        typed = [str(override) for override in read_yaml(directory / ".hydra" / "overrides.yaml") or []]
        hydra = read_yaml(directory / ".hydra" / "hydra.yaml")["hydra"]
        typed += [o for o in map(str, hydra["overrides"]["hydra"]) if not o.startswith(NOT_TYPED)]
        return shlex.join(["python", "-m", "pg_experiments.train", *_config_directory(hydra), *typed])
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None


def _config_directory(hydra: Mapping[str, Any]) -> list[str]:
    """`--config-dir`, which is no override, from where Hydra says that it found configs."""
    sources = hydra["runtime"]["config_sources"]
    own = [source["path"] for source in sources if source["provider"] == "command-line"]
    return [part for path in own for part in ("--config-dir", path)]
