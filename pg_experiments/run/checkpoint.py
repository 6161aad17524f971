"""Checkpoints: the complete state of a run in one file, so that resuming is exact. Loading executes no code.

`checkpoints/update_00000120.pt` holds nested dicts of tensors and numbers, written by `torch.save`: the state of the
run after 120 updates, the identity of its configuration, and the lengths of its record files at that time.
"""

from __future__ import annotations

import io
import logging
import pickle
import re
import time
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, BinaryIO

import torch
from annotated_types import Ge, Gt

from pg_experiments.support.errors import one_line, printable
from pg_experiments.support.files import CHECKPOINT_LIMIT, Directory, FileError, MiB, NoSuchFile
from pg_experiments.support.plain_data import check_depth

FOLDER = "checkpoints"
FORMAT = 1  # version of the file format
LISTINGS = 10  # attempts to list checkpoints where one is removed before it is read
NAME = re.compile(r"update_(\d{1,18})\.pt")
MEMBERS_LIMIT = 16 * MiB  # size of an archive's list of members, some 200,000 of them
STRUCTURE_LIMIT = 64 * MiB  # size of the pickle with the structure of the dicts

log = logging.getLogger("pg_experiments")
State = dict[str, Any]  # nested dicts and lists of tensors and numbers


@dataclass(frozen=True)
class Checkpointing:
    """Intervals between checkpoints, and how many are kept. A run also saves at its end and when interrupted."""

    every_updates: Annotated[int, Ge(1)] | None
    every_seconds: Annotated[float, Gt(0)] | None
    keep: Annotated[int, Ge(1)]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, directory: Path, settings: Checkpointing, config: Mapping[str, Any]) -> None:
        """`directory` is the run's directory, `config` its identity by dotted keys."""
        self.files = Directory(directory)
        self.config = dict(config)
        self.settings = settings
        self.saved: int | None = None  # number of updates at the newest checkpoint
        self._saved_at = time.monotonic()

    def due(self, updates: int) -> bool:
        """Whether a checkpoint is due after that many updates."""
        every_updates, every_seconds = self.settings.every_updates, self.settings.every_seconds
        if every_updates is not None and updates % every_updates == 0:
            return True
        return every_seconds is not None and time.monotonic() - self._saved_at >= every_seconds

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, and remove old ones and those of later updates than the new one.

        Writing is atomic and durable. Raises OSError where the file cannot be written; existing checkpoints are kept.
        """
        if not self.files.has_folder(FOLDER):
            self.files.make_folder(FOLDER)
            self.files.force(".")
        name = f"{FOLDER}/update_{state['update']:08d}.pt"
        content = {"format": FORMAT, "config": self.config, **state}
        self.files.replace(name, lambda file: torch.save(content, file))
        self.saved, self._saved_at = state["update"], time.monotonic()
        there = _newest_first(self.files)
        newest_is = there.index(name)
        half_written = self.files.glob(f"{FOLDER}/.update_*.tmp")
        for other in [*there[:newest_is], *there[newest_is + self.settings.keep :], *half_written]:
            self.files.remove(other)


def read(path: Path) -> State:
    """Read a checkpoint: nested dicts of tensors, on the CPU, and numbers.

    Raises:
        NoSuchFile: the file does not exist.
        FileError: it cannot be read, is damaged, or holds other objects.
    """
    try:
        return _read(Directory(path.parent), path.name)
    except NoSuchFile:
        raise NoSuchFile(f"{path}: no such checkpoint") from None


def _read(files: Directory, name: str) -> State:
    path = files.path / name
    try:
        with files.open(name, CHECKPOINT_LIMIT) as file:
            _check_archive(file)
            with warnings.catch_warnings(action="ignore"):  # about other file types
                state = torch.load(file, map_location="cpu", weights_only=True)
        check_depth(state)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from None
    except pickle.UnpicklingError:
        raise FileError(f"{path}: holds more than tensors and numbers, and is not loaded") from None
    except Exception as error:  # an invalid archive can raise exceptions of many types
        why = one_line(str(error).partition("\n")[0]) or "it ends early"
        raise FileError(f"{path}: is damaged ({why})") from None
    if not isinstance(state, dict) or type(state.get("format")) is not int or state["format"] != FORMAT:
        raise FileError(f"{path}: is no checkpoint of format {FORMAT}")
    return state


def _check_archive(file: BinaryIO) -> None:
    """Raises ValueError where an archive has a wrong checksum, which torch does not check, or compressed members.

    Members of a checkpoint are stored uncompressed. A compressed one could be a thousand times larger in memory.
    """
    with zipfile.ZipFile(_InParts(file)) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise ValueError(f"its part {member.filename} is compressed, which no checkpoint's is")
            if member.filename.endswith(".pkl") and member.file_size > STRUCTURE_LIMIT:
                raise ValueError(f"its part {member.filename} is larger than {STRUCTURE_LIMIT // MiB} MiB")
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"its part {damaged} has changed")
    file.seek(0)


class _InParts(io.BufferedReader):
    """A file with a limit on the size of a read, since `zipfile` reads an archive's list of members at once."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(io.FileIO(file.fileno(), closefd=False))

    def read(self, size: int | None = -1, /) -> bytes:
        most = MEMBERS_LIMIT + 1
        content = super().read(most if size is None or size < 0 else min(size, most))
        if len(content) == most:
            raise ValueError(f"its list of members is larger than {MEMBERS_LIMIT // MiB} MiB")
        return content


def newest(directory: Path) -> State | None:
    """The content of the newest usable checkpoint of a run's directory, as `newest_file` finds it."""
    found = newest_file(directory)
    return None if found is None else found[1]


def newest_file(directory: Path) -> tuple[Path, State] | None:
    """The newest usable checkpoint of a run's directory. Logs a warning for each newer one that is not usable.

    The run may be training, and remove a checkpoint after it was listed. Then a newer one exists, and checkpoints are
    listed again.

    Returns:
        The path and the content; None where the run has no checkpoint.

    Raises:
        FileError: no checkpoint can be used, or the checkpoints cannot be listed.
    """
    files = Directory(directory)
    for _ in range(LISTINGS):
        with suppress(NoSuchFile):
            return _newest_of(files, _newest_first(files))
    raise FileError(f"{files.path / FOLDER}: its checkpoints were removed while they were read, {LISTINGS} times")


def _newest_of(files: Directory, names: Sequence[str]) -> tuple[Path, State] | None:
    """The first usable one of these checkpoints, newest first. Raises NoSuchFile where one has been removed."""
    problems: list[str] = []
    for name in names:
        try:
            state = _read(files, name)
        except NoSuchFile:
            raise
        except FileError as problem:
            problems.append(str(problem))
            continue
        for text in problems:
            log.warning("%s; using the one before, %s", printable(text), PurePosixPath(name).name)
        return files.path / name, state
    if problems:
        raise FileError(f"{'; '.join(problems)}; no other checkpoint is there")
    return None


def _newest_first(files: Directory) -> list[str]:
    files.has_folder(FOLDER)
    found = {name: NAME.fullmatch(PurePosixPath(name).name) for name in files.glob(f"{FOLDER}/*.pt")}
    numbers = {name: int(match[1]) for name, match in found.items() if match}
    return sorted(numbers, key=numbers.__getitem__, reverse=True)
