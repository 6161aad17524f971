"""Commands as they are typed in a shell."""

from __future__ import annotations

import shlex
from pathlib import Path


def browse_command(directory: Path) -> str:
    """The command that shows a directory in TensorBoard."""
    return f"tensorboard --logdir {from_here(directory)}"


def from_here(directory: Path) -> str:
    """A directory as a shell argument, relative to the current directory if it is below it."""
    cwd = Path.cwd()
    return shlex.quote(str(directory.relative_to(cwd) if directory.is_relative_to(cwd) else directory))
