"""Files in a directory that is not trusted: every access stays inside it, follows no link and is bounded.

The path of the directory itself is the user's word and may lead through links. Below it each folder is opened relative
to the one above with `O_NOFOLLOW`, so that no name and no link leads out; only regular files are opened, never a FIFO
or a device.
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
SMALL = 1 * MiB  # the most that is read of a YAML file, or of another that is written by hand or has a few lines
RESULT_LIMIT = 32 * MiB  # of result.json, which has a few lines for each seed
METRICS_LIMIT = 1024 * MiB  # of metrics.csv, which has a row for each update and seed
CHECKPOINT_LIMIT = 4096 * MiB  # of a checkpoint, which has every seed's parameters several times
LINE_LIMIT = 64 * 1024  # bytes of a line
WALK_DEPTH = 32  # folders below each other that are looked through


class Entry(NamedTuple):
    """A name in a folder."""

    name: str
    kind: Kind


class Directory:
    """A directory whose files are opened, read and written by their names within it, such as `.hydra/config.yaml`.

    A name that would lead out, a link, and what is neither a regular file nor a folder raise FileError, and so does
    what is there and cannot be read. An OSError that is raised says that a file could not be written.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    def make(self) -> None:
        """Make the directory itself, and those above it, unless they are there."""
        self.path.mkdir(parents=True, exist_ok=True)

    def kind(self, name: str) -> Kind:
        """What a name stands for.

        Raises:
            FileError: a folder on the way to it is a link or cannot be searched.
        """
        return kind_at(self.path, name)

    def has_file(self, name: str) -> bool:
        """Whether a regular file is there. Raises FileError where something else is."""
        return self._expect(name, "file")

    def has_folder(self, name: str) -> bool:
        """Whether a folder is there. Raises FileError where something else is."""
        return self._expect(name, "folder")

    def leads_inside(self, name: str) -> bool:
        """Whether what a link leads to lies in this directory, be it there or not."""
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
        if len(content) > limit:  # it has grown meanwhile
            raise self._too_large(name, limit)
        return content

    def read_text(self, name: str, limit: int = SMALL) -> str:
        """The content of a file that is UTF-8."""
        try:
            return self.read(name, limit).decode()
        except UnicodeDecodeError as error:
            raise FileError(f"{self.path / name}: is not UTF-8 text (byte {error.start})") from None

    def lines(self, name: str, limit: int) -> Iterator[str]:
        """The lines of a text file, each with its line break, read one by one."""
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
        """What a folder holds, by name; nothing where it is absent."""
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
        """The names that match a pattern of `fnmatch` for each folder and the last part; folders are not links.

        Raises:
            FileError: a folder that the pattern names, or that matches, cannot be read; one that it names is a link.
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
        """Each folder below, this one first, with its entries; the caller may remove folders that it wants left out.

        Args:
            unreadable: is called with each folder that cannot be read, which is left out, and why.
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
        """Open a file for writing at its end; it is made where it is absent. `fresh`: without what it held before."""
        file = os.fdopen(open_file(self.path, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
        if fresh:
            file.truncate(0)
        return file

    def overwrite(self, name: str, content: bytes) -> None:
        """Write a file that is there in its place, which needs no room for two. A reader may see a part of it."""
        with os.fdopen(open_file(self.path, name, os.O_WRONLY), "wb") as file:
            file.write(content)
            file.truncate()

    def truncate(self, name: str, size: int) -> None:
        """Shorten a file to so many bytes."""
        with os.fdopen(open_file(self.path, name, os.O_WRONLY), "wb") as file:
            file.truncate(size)

    def replace(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Replace a file by what `write` writes: a reader sees the old one or the new one, and so after a power cut.

        It is written beside it, forced to the disk, and renamed; then the folder, which has the name, is forced there.
        A process that is killed meanwhile leaves `.NAME.….tmp`.

        Raises:
            OSError: it could not be written. The old one is as it was, and what was written of the new one is gone.
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
        """Wait until a file, or the names that a folder has, is on the disk."""
        is_folder = name == "." or self.kind(name) == "folder"
        descriptor = open_folder(self.path, name) if is_folder else open_file(self.path, name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself; nothing happens where none is."""
        with suppress(FileNotFoundError, NoSuchFile), parent(self.path, name) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def make_folder(self, name: str) -> None:
        """Make a folder, unless it is there."""
        with parent(self.path, name) as (folder, last), suppress(FileExistsError):
            os.mkdir(last, dir_fd=folder)
            return
        self.has_folder(name)

    def remove_if_empty(self, name: str) -> None:
        """Remove a folder that holds nothing, and keep another."""
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
