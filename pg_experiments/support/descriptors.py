"""Descriptors of files and folders below a directory that is not trusted: the way to them has no link and no `..`."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

from pg_experiments.support.errors import FileError, NoSuchFile

FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
SEARCH = getattr(os, "O_PATH", os.O_RDONLY)  # a folder need not be readable for a file in it to be opened

Kind = Literal["absent", "file", "folder", "link", "other"]
EXPECTED = {"file": "a regular file", "folder": "a folder", "other": "a FIFO, socket or device"}


def parts_of(root: Path, name: str) -> list[str]:
    """The parts of a name, none for the root. Raises FileError where it would lead out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise FileError(f"{name!r}: leads out of {root}; expected a name within it")
    return list(path.parts)


def open_folder(root: Path, name: str, mode: int = os.O_RDONLY) -> int:
    """A descriptor of a folder, opened step by step from the root."""
    parts = parts_of(root, name)
    try:
        descriptor = os.open(root, (SEARCH if parts else mode) | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(root, error) from None
    for number, part in enumerate(parts, 1):
        above = descriptor
        try:
            descriptor = os.open(part, (SEARCH if number < len(parts) else mode) | FOLDER, dir_fd=above)
        except OSError as error:
            here = root.joinpath(*parts[:number])
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise unexpected(here, kind_of(os.stat(part, dir_fd=above, follow_symlinks=False)), "folder") from None
            raise unreadable(here, error) from None
        finally:
            os.close(above)
    return descriptor


@contextmanager
def parent(root: Path, name: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that a name is in, and the name's last part; an OSError names the whole path."""
    *folders, last = parts_of(root, name) or ["."]
    descriptor = open_folder(root, str(PurePosixPath(*folders)), SEARCH)
    try:
        yield descriptor, last
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(root / name)) from error
    finally:
        os.close(descriptor)


def open_file(root: Path, name: str, flags: int) -> int:
    """A descriptor of a regular file. One that is written in its place must have no second name: it may lie outside."""
    writes = flags & (os.O_WRONLY | os.O_RDWR)
    kind = kind_at(root, name)  # before it is opened, for opening is enough to make some devices do something
    if kind not in ("file", "absent"):
        raise unexpected(root / name, kind, "file")
    try:
        with parent(root, name) as (folder, last):
            descriptor = os.open(last, flags | FILE, 0o666, dir_fd=folder)
    except OSError as error:
        if writes and not isinstance(error, FileNotFoundError):
            raise
        raise unreadable(root / name, error) from None
    status = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = unexpected(root / name, kind_of(status), "file")
    elif writes and status.st_nlink > 1:
        told = "has a second name (a hard link), and would change there, too; put a copy in its place"
        problem = FileError(f"{root / name}: {told}")
    if problem is not None:
        os.close(descriptor)
        raise problem
    return descriptor


def kind_at(root: Path, name: str) -> Kind:
    """What a name stands for. Raises FileError where a folder on the way is a link or cannot be searched."""
    try:
        with parent(root, name) as (folder, last):
            return kind_of(os.stat(last, dir_fd=folder, follow_symlinks=False))
    except (FileNotFoundError, NoSuchFile):
        return "absent"
    except OSError as error:
        raise unreadable(root / name, error) from None


def kind_of(status: os.stat_result) -> Kind:
    """What a status is of."""
    if stat.S_ISLNK(status.st_mode):
        return "link"
    return "file" if stat.S_ISREG(status.st_mode) else "folder" if stat.S_ISDIR(status.st_mode) else "other"


def kind_of_entry(entry: os.DirEntry[str]) -> Kind:
    """The same of an entry of a folder."""
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def unexpected(path: Path, kind: Kind, expected: Kind) -> FileError:
    """The error for what is not what is expected."""
    if kind == "link":
        return FileError(f"{path}: is a link, and none is followed here; put what it leads to in its place")
    return FileError(f"{path}: is {EXPECTED[kind]}; expected {EXPECTED[expected]}")


def unreadable(path: Path, error: OSError) -> FileError:
    """The error for what the operating system does not open."""
    if isinstance(error, FileNotFoundError):
        return NoSuchFile(f"{path}: is not there")
    return FileError(f"{path}: cannot be read ({error.strerror})")
