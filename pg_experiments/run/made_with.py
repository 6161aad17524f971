"""What a run is made with: versions, git revision, processor, threads and device, for `result.json`."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import pg_experiments
from pg_experiments.support.errors import shown
from pg_experiments.support.files import Directory, FileError

PACKAGES = {"torch": "torch", "numpy": "numpy", "gymnasium": "gymnasium", "ale_py": "ale-py", "numba": "numba"}
CLONE = Path(__file__).parents[2]  # the root of the project's clone, or `site-packages`
CODE = ("pg_experiments", "hydra_plugins", "conf")  # what counts for whether a clone has changes
GIT_SECONDS = 2.0
CPUINFO_LIMIT = 2**20

MOST_RECORDS = 1000  # of a history that is read from a checkpoint
LONGEST = 1000  # characters of a text in it

Record = Mapping[str, Any]  # what a part of a run was made with: texts, whole numbers, truth values and None
START = "from_update"  # key with the index of the first update of a record's part


def made_with(device: torch.device) -> dict[str, Any]:
    """What a run on this device is made with, in this process. Nothing of it fails: what is unknown is None."""
    revision, has_changes = git(CLONE)
    return {
        "pg_experiments": pg_experiments.__version__,
        "git_revision": revision,
        "git_dirty": has_changes,
        "python": platform.python_version(),
        **{key: _version(name) for key, name in PACKAGES.items()},
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "device": device.type if device.type != "cuda" else f"cuda ({torch.cuda.get_device_name(device)})",
    }


def continued(before: Sequence[Record], now: Record, update: int) -> list[dict[str, Any]]:
    """The history of a run: one record for each part that was made with something else than the part before it.

    Args:
        before: the history up to now; empty for a new run.
        now: what the updates from now on are made with.
        update: index of the next update.
    """
    history = [dict(record) for record in before if record[START] < update]  # one that made no update is dropped
    if history and not differences(history[-1], now):
        return history
    return [*history, {**now, START: update}]


def differences(before: Record, now: Record) -> list[str]:
    """What differs between two records, as `torch 2.12.0 → 2.13.0`."""
    keys = dict.fromkeys(key for key in (*before, *now) if key != START)
    pairs = {key: (before.get(key), now.get(key)) for key in keys}
    return [f"{shown(key)} {shown(old)} → {shown(new)}" for key, (old, new) in pairs.items() if old != new]


def checked_history(history: Any) -> list[Record]:
    """A history that a checkpoint holds, which is not trusted. Raises ValueError where it is none."""
    if not isinstance(history, list) or len(history) > MOST_RECORDS:
        raise ValueError(f"made_with: expected a list of at most {MOST_RECORDS} records")
    for record in history:
        if not isinstance(record, dict) or type(record.get(START)) is not int:
            raise ValueError(f"made_with: expected a group of keys with the number {START}")
        if not all(isinstance(key, str) and _is_short(key) and _is_short(value) for key, value in record.items()):
            raise ValueError(f"made_with: expected short texts and numbers, at most {LONGEST} characters each")
    return history


def _is_short(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or (isinstance(value, str) and len(value) <= LONGEST)


@cache
def git(clone: Path) -> tuple[str | None, bool | None]:
    """The revision of a clone, and whether its code differs from the revision; None and None where there is no clone.

    The directory is that of the code which is running, never the current directory. Directories above it are not
    searched. The result is kept, as the code was loaded once.
    """
    if Directory(clone).kind(".git") == "absent":
        return None, None
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = [
        "git",
        "-c",
        "core.fsmonitor=false",
        "-C",
        str(clone),
        "status",
        "--porcelain=v2",
        "--branch",
        "--",
        *CODE,
    ]
    try:
        done = subprocess.run(
            command,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0", "GIT_CEILING_DIRECTORIES": str(clone.parent)},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None, None
    lines = done.stdout.splitlines()
    revision = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
    return revision, any(not line.startswith("#") for line in lines)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str | None:
    with suppress(FileError):
        for line in Directory("/proc").lines("cpuinfo", CPUINFO_LIMIT):
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine() or None
