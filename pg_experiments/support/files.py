"""File access in an untrusted directory: paths stay inside it, links are not followed, and sizes are bounded.

The path of the directory itself is trusted and may contain links. Below it, each folder is opened relative to its
parent with `O_NOFOLLOW`, so that neither a name nor a link leads out. Only regular files are opened, never a FIFO or a
device.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import count
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from pg_experiments.support.descriptors import (
    FILE,
    Kind,
    kind_at,
    kind_of_entry,
    open_file,
    open_folder,
    parent,
    parts_of,
    unexpected,
    unreadable,
)
from pg_experiments.support.errors import FileError, NoSuchFile

__all__ = [
    "CHECKPOINT_LIMIT",
    "METRICS_LIMIT",
    "RESULT_LIMIT",
    "SMALL",
    "Directory",
    "Entry",
    "FileError",
    "MiB",
    "NoSuchFile",
]

MiB = 2**20
SMALL = 1 * MiB  # size limit of YAML files and other small text files
RESULT_LIMIT = 32 * MiB  # of result.json, which has a few lines for each seed
METRICS_LIMIT = 1024 * MiB  # of metrics.csv, which has a row for each update and seed
CHECKPOINT_LIMIT = 4096 * MiB  # of a checkpoint, which has every seed's parameters several times
LINE_LIMIT = 64 * 1024  # bytes of a line
WALK_DEPTH = 32  # deepest level of nested folders that `walk` enters


class Entry(NamedTuple):
    """An entry of a folder."""

    name: str
    kind: Kind


class Directory:
    """A directory whose files are accessed by names relative to it, such as `.hydra/config.yaml`.

    FileError is raised for a name that leads out, a link, a FIFO or device, and a file that cannot be read. OSError is
    raised where a file cannot be written.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    def make(self) -> None:
        """Create the directory and its parents, unless they exist."""
        self.path.mkdir(parents=True, exist_ok=True)

    def kind(self, name: str) -> Kind:
        """The kind of file with this name.

        Raises:
            FileError: a parent folder is a link or cannot be searched.
        """
        return kind_at(self.path, name)

    def has_file(self, name: str) -> bool:
        """Whether a regular file with this name exists. Raises FileError where it is of another kind."""
        return self._expect(name, "file")

    def has_folder(self, name: str) -> bool:
        """Whether a folder with this name exists. Raises FileError where it is of another kind."""
        return self._expect(name, "folder")

    def leads_inside(self, name: str) -> bool:
        """Whether the target of a link is inside this directory. The target need not exist."""
        return Path(os.path.realpath(self.path / name)).is_relative_to(os.path.realpath(self.path))

    def status(self, name: str) -> os.stat_result:
        """Size and times of a regular file."""
        descriptor = open_file(self.path, name, os.O_RDONLY)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def open(self, name: str, limit: int) -> BinaryIO:
        """Open a regular file of at most `limit` bytes for reading."""
        file = os.fdopen(open_file(self.path, name, os.O_RDONLY), "rb")
        if os.fstat(file.fileno()).st_size > limit:
            file.close()
            raise self._too_large(name, limit)
        return file

    def read(self, name: str, limit: int = SMALL) -> bytes:
        """The content of a file of at most `limit` bytes."""
        try:
            with self.open(name, limit) as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise unreadable(self.path / name, error) from None
        if len(content) > limit:  # it has grown since it was opened
            raise self._too_large(name, limit)
        return content

    def read_text(self, name: str, limit: int = SMALL) -> str:
        """The content of a UTF-8 text file of at most `limit` bytes."""
        try:
            return self.read(name, limit).decode()
        except UnicodeDecodeError as error:
            raise FileError(f"{self.path / name}: is not UTF-8 text (byte {error.start})") from None

    def lines(self, name: str, limit: int) -> Iterator[str]:
        """Yields the lines of a UTF-8 text file with their line breaks."""
        with self.open(name, limit) as file:
            for number in count(1):
                line = file.readline(LINE_LIMIT + 1)
                if len(line) > LINE_LIMIT:
                    raise FileError(f"{self.path / name}: line {number} is longer than {LINE_LIMIT:,} bytes")
                if not line:
                    return
                try:
                    yield line.decode()
                except UnicodeDecodeError:
                    raise FileError(f"{self.path / name}: line {number} is not UTF-8 text") from None

    def entries(self, folder: str = ".") -> list[Entry]:
        """The entries of a folder, sorted by name; an empty list where it does not exist."""
        try:
            descriptor = open_folder(self.path, folder)
        except NoSuchFile:
            return []
        try:
            with os.scandir(descriptor) as found:
                return sorted(Entry(entry.name, kind_of_entry(entry)) for entry in found)
        except OSError as error:
            raise unreadable(self.path / folder, error) from None
        finally:
            os.close(descriptor)

    def glob(self, pattern: str) -> list[str]:
        """The names that match a pattern, in which each part is a pattern of `fnmatch`. Links are not entered.

        Raises:
            FileError: a folder of the pattern cannot be read, or one without wildcards is a link.
        """
        found = [""]
        *folders, last = parts_of(self.path, pattern)
        for part in folders:
            if any(character in part for character in "*?["):
                matching = [(f, e) for f in found for e in self.entries(f or ".") if fnmatchcase(e.name, part)]
                found = [_join(folder, entry.name) for folder, entry in matching if entry.kind == "folder"]
            else:
                found = [_join(folder, part) for folder in found]
        return [_join(f, e.name) for f in found for e in self.entries(f or ".") if fnmatchcase(e.name, last)]

    def walk(self, unreadable: Callable[[str, FileError], object]) -> Iterator[tuple[str, list[Entry]]]:
        """Yields each folder, this one first, with its entries. The caller may remove entries to skip folders.

        Args:
            unreadable: called with the name and the error of each folder that cannot be read; it is skipped.
        """
        waiting = ["."]
        while waiting:
            folder = waiting.pop()
            try:
                entries = self.entries(folder)
            except FileError as error:
                unreadable(folder, error)
                continue
            yield folder, entries
            if len(PurePosixPath(folder).parts) < WALK_DEPTH:
                waiting += [_join(folder, e.name) for e in reversed(entries) if e.kind == "folder"]

    def append(self, name: str, *, fresh: bool = False) -> BinaryIO:
        """Open a file for appending. It is created if it does not exist. `fresh`: its content is removed."""
        file = os.fdopen(open_file(self.path, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
        if fresh:
            file.truncate(0)
        return file

    def overwrite(self, name: str, content: bytes) -> None:
        """Overwrite an existing file in place, which needs no additional disk space. Not atomic."""
        with os.fdopen(open_file(self.path, name, os.O_WRONLY), "wb") as file:
            file.write(content)
            file.truncate()

    def truncate(self, name: str, size: int) -> None:
        """Truncate a file to `size` bytes."""
        with os.fdopen(open_file(self.path, name, os.O_WRONLY), "wb") as file:
            file.truncate(size)

    def replace(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Replace a file atomically and durably by the output of `write`.

        A temporary file is written in the same folder, synchronised to disk, and renamed; then the folder is
        synchronised. A process that is killed meanwhile leaves `.NAME.….tmp`.

        Raises:
            OSError: the file could not be written. The old file is unchanged, and the temporary file is removed.
        """
        with parent(self.path, name) as (folder, last):
            temporary = f".{last}.{secrets.token_hex(4)}.tmp"
            created = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE, 0o666, dir_fd=folder)
            try:
                with os.fdopen(created, "wb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
        self.force(str(PurePosixPath(name).parent))

    def force(self, name: str) -> None:
        """Synchronise a file, or the entries of a folder, to disk."""
        is_folder = name == "." or self.kind(name) == "folder"
        descriptor = open_folder(self.path, name) if is_folder else open_file(self.path, name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Remove a file or a link, if it exists."""
        with suppress(FileNotFoundError, NoSuchFile), parent(self.path, name) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def make_folder(self, name: str) -> None:
        """Create a folder, unless it exists."""
        with parent(self.path, name) as (folder, last), suppress(FileExistsError):
            os.mkdir(last, dir_fd=folder)
            return
        self.has_folder(name)

    def remove_if_empty(self, name: str) -> None:
        """Remove a folder if it is empty."""
        with suppress(OSError, NoSuchFile), parent(self.path, name) as (folder, last):
            os.rmdir(last, dir_fd=folder)

    def _expect(self, name: str, expected: Kind) -> bool:
        kind = self.kind(name)
        if kind not in (expected, "absent"):
            raise unexpected(self.path / name, kind, expected)
        return kind == expected

    def _too_large(self, name: str, limit: int) -> FileError:
        return FileError(f"{self.path / name}: is larger than {limit // MiB:,} MiB, the most that is read of it")


def _join(folder: str, name: str) -> str:
    return name if folder in ("", ".") else f"{folder}/{name}"
