"""Checkpoints: everything that a run needs to go on as if it had never stopped, in one file that can execute nothing.

`checkpoints/update_00000120.pt` holds nested dicts of tensors and numbers, as `torch.save` writes them: what 120
updates have made of the run, the identity of its configuration, and how long its record was then.
"""

from __future__ import annotations

import logging
import pickle
import re
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt

from pg_experiments.durable import force, replace_file
from pg_experiments.errors import UserError

FOLDER = "checkpoints"
FORMAT = 1  # of the file; another number is another format
NAME = re.compile(r"update_(\d+)\.pt")

log = logging.getLogger("pg_experiments")
State = dict[str, Any]  # nested dicts and lists of tensors and numbers


@dataclass(frozen=True)
class Checkpointing:
    """When a run saves itself, beside at its end and when it is interrupted."""

    every_updates: Annotated[int, Ge(1)] | None
    every_seconds: Annotated[float, Gt(0)] | None
    keep: Annotated[int, Ge(1)]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, directory: Path, settings: Checkpointing, config: Mapping[str, Any]) -> None:
        """`directory` is the run's, `config` its identity by dotted keys."""
        self.directory = directory
        self.config = dict(config)
        self.settings = settings
        self.saved: int | None = None  # how many updates the newest one has
        self._saved_at = time.monotonic()

    def due(self, updates: int) -> bool:
        """Whether to save after that many updates."""
        every_updates, every_seconds = self.settings.every_updates, self.settings.every_seconds
        if every_updates is not None and updates % every_updates == 0:
            return True
        return every_seconds is not None and time.monotonic() - self._saved_at >= every_seconds

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, and remove those that are too many, and those that a resumed run has gone back behind.

        It is whole or not there at all, and it survives a power cut. Raises OSError where it cannot be written; those
        that were there are there still.
        """
        folder = self.directory / FOLDER
        if not folder.exists():
            folder.mkdir()
            force(self.directory)
        path = folder / f"update_{state['update']:08d}.pt"
        replace_file(path, lambda file: torch.save({"format": FORMAT, "config": self.config, **state}, file))
        self.saved, self._saved_at = state["update"], time.monotonic()
        there = list(_newest_first(self.directory))
        newest_is = there.index(path)
        for other in [*there[:newest_is], *there[newest_is + self.settings.keep :], *folder.glob(".update_*.tmp")]:
            other.unlink(missing_ok=True)


def read(path: Path) -> State:
    """What a checkpoint holds: tensors, on the CPU, and numbers.

    Raises:
        UserError: it cannot be read, is damaged, or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch itself does not notice a flipped bit
        if damaged is not None:
            raise UserError(f"{path}: is damaged (its part {damaged} has changed)")
        with warnings.catch_warnings(action="ignore"):  # of what else the file might be
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except pickle.UnpicklingError:
        raise UserError(f"{path}: holds more than tensors and numbers, and is not loaded") from None
    except UserError:
        raise
    except Exception as error:  # bytes that are no archive fail in many ways
        raise UserError(f"{path}: is damaged ({str(error).partition(chr(10))[0] or 'it ends early'})") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path}: is no checkpoint of format {FORMAT}")
    return state


def newest(directory: Path) -> State | None:
    """The newest checkpoint of a run's directory that can be used, with a warning for each newer one that cannot.

    Returns:
        None where the run has no checkpoint yet.

    Raises:
        UserError: it has some, and none can be used.
    """
    folder = directory / FOLDER
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: expected a folder")
    problems: list[str] = []
    for path in _newest_first(directory):
        try:
            state = read(path)
        except UserError as problem:
            problems.append(str(problem))
            continue
        for text in problems:
            log.warning("%s; using the one before, %s", text, path.name)
        return state
    if problems:
        raise UserError(f"{'; '.join(problems)}; no other checkpoint is there")
    return None


def _newest_first(directory: Path) -> Iterator[Path]:
    found = {path: match for path in (directory / FOLDER).glob("*.pt") if (match := NAME.fullmatch(path.name))}
    yield from sorted(found, key=lambda path: int(found[path][1]), reverse=True)
