"""Files that are replaced whole: a reader sees the old one or the new one, and so does who comes after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace a file by what `write` writes.

    It is written beside it, forced to the disk, and renamed; then the folder, which has the name, is forced there, too.
    One process at a time may do so.

    Raises:
        OSError: it could not be written. The old one is as it was, and what was written of the new one is gone.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # what a killed process has left
    try:
        with temporary.open("xb") as file:
            write(file)
        force(temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    force(path.parent)


def force(path: Path) -> None:
    """Wait until a file, or the names that a folder has, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
