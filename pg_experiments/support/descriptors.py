"""Opens files and folders below an untrusted directory. Paths with links or `..` are refused."""

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
SEARCH = getattr(os, "O_PATH", os.O_RDONLY)  # does not require read permission on the folder

Kind = Literal["absent", "file", "folder", "link", "other"]
EXPECTED = {"file": "a regular file", "folder": "a folder", "other": "a FIFO, socket or device"}


def parts_of(root: Path, name: str) -> list[str]:
    """The parts of a relative path; an empty list for the root. Raises FileError where it leads out of the root."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise FileError(f"{name!r}: leads out of {root}; expected a name within it")
    return list(path.parts)


def open_folder(root: Path, name: str, mode: int = os.O_RDONLY) -> int:
    """Open a folder. Each part of the path is opened relative to the one before."""
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
    """Yields a descriptor of the parent folder and the last part of a name. An OSError inside gets the full path."""
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
    """Open a regular file. A file opened for writing must have no other hard link, which could be outside the root."""
    writes = flags & (os.O_WRONLY | os.O_RDWR)
    kind = kind_at(root, name)  # checked before opening, as opening a device can have side effects
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
        reason = "has a second name (a hard link), and would change there, too; put a copy in its place"
        problem = FileError(f"{root / name}: {reason}")
    if problem is not None:
        os.close(descriptor)
        raise problem
    return descriptor


def kind_at(root: Path, name: str) -> Kind:
    """The kind of file with this name. Raises FileError where a parent folder is a link or cannot be searched."""
    try:
        with parent(root, name) as (folder, last):
            return kind_of(os.stat(last, dir_fd=folder, follow_symlinks=False))
    except (FileNotFoundError, NoSuchFile):
        return "absent"
    except OSError as error:
        raise unreadable(root / name, error) from None


def kind_of(status: os.stat_result) -> Kind:
    """The kind of file with this status."""
    if stat.S_ISLNK(status.st_mode):
        return "link"
    return "file" if stat.S_ISREG(status.st_mode) else "folder" if stat.S_ISDIR(status.st_mode) else "other"


def kind_of_entry(entry: os.DirEntry[str]) -> Kind:
    """The kind of a directory entry."""
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def unexpected(path: Path, kind: Kind, expected: Kind) -> FileError:
    """The error for a file of an unexpected kind."""
    if kind == "link":
        return FileError(f"{path}: is a link, and none is followed here; put what it leads to in its place")
    return FileError(f"{path}: is {EXPECTED[kind]}; expected {EXPECTED[expected]}")


def unreadable(path: Path, error: OSError) -> FileError:
    """The error for a file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return NoSuchFile(f"{path}: is not there")
    return FileError(f"{path}: cannot be read ({error.strerror})")
