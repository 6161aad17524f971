"""Files and directories that no command may touch, and whether it has."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

HOME = "home"  # beside the working directory: a user's other files, to which links of a stranger lead
PAYLOAD = "payload"  # beside the working directory: what an executed payload makes
INSIDE = ("notes.txt", "checkpoints/mine.pt", "seed_0/mine.txt")  # a user's own files in a run's directory
DATED = re.compile(r"\d{4}-\d\d-\d\d")
READ = 10_000_000  # bytes of a canary that are compared

State = tuple[object, ...]


def plant_home(case: Path, run: Path) -> None:
    """Make the files outside: some of a user's, and a whole run."""
    home = case / HOME
    (home / ".ssh").mkdir(parents=True)
    (home / "empty").mkdir()
    for name in (".bashrc", ".profile", ".ssh/authorized_keys", "notes.txt", "precious.pt"):
        (home / name).write_text(f"# {name}: outside of every run\n")
    (home / ".ssh" / "authorized_keys").chmod(0o600)
    shutil.copytree(run, home / "run")


def plant_inside(directory: Path) -> None:
    """Make a user's own files in a run's or a sweep's directory."""
    for name in INSIDE:
        file = directory / name
        if file.parent.is_dir():
            file.write_text(f"{name}: the user's own\n")


class Canaries:
    """The state of everything that a command must leave alone, taken before it begins."""

    def __init__(self, case: Path, work: Path, directories: Iterable[Path], allowed: Collection[str] | None) -> None:
        """Look.

        Args:
            case: the directory of the case, in which nothing new may appear.
            work: the command's working directory.
            directories: of runs and sweeps, where a user's own files are.
            allowed: names that the command may make in its working directory; None: any.
        """
        self._case, self._work, self._allowed = case, work, allowed
        self._home = dict(_tree(case / HOME))
        mine = [directory / name for directory in directories for name in INSIDE]
        self._mine = {file: _state(file) for file in mine if _inside(file, work) and file.is_file()}
        self._names = set(os.listdir(case))
        self._worked = set(os.listdir(work))

    def faults(self) -> Iterator[str]:
        """Each canary that has changed."""
        if (self._case / PAYLOAD).exists():
            yield "an executed payload"
        now = dict(_tree(self._case / HOME))
        for path in sorted({*now, *self._home}):
            if now.get(path) != self._home.get(path):
                yield f"outside: {_name(path, self._case)} {_how(self._home.get(path), now.get(path))}"
        for path, before in self._mine.items():
            if _state(path) != before:
                yield f"inside: {_name(path, self._work)} {_how(before, _state(path))}"
        for name in sorted(set(os.listdir(self._case)) - self._names - {PAYLOAD}):
            yield f"outside: {name!r} is new"
        if self._allowed is not None:
            yield from self._strange_names(self._allowed)

    def _strange_names(self, allowed: Collection[str]) -> Iterator[str]:
        """What is new in the working directory, and was not asked for."""
        for name in sorted(set(os.listdir(self._work)) - self._worked - {"outputs", "multirun", *allowed}):
            yield f"in the working directory: {name!r} is new"


def _tree(root: Path) -> Iterator[tuple[str, State]]:
    for folder, folders, files in os.walk(root):
        for name in [".", *folders, *files]:
            path = os.path.normpath(os.path.join(folder, name))
            yield path, _state(Path(path))


def _state(path: Path) -> State:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ("gone",)
    own = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid)
    if stat.S_ISREG(status.st_mode):
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(READ)).hexdigest()
        return (*own, status.st_mtime_ns, status.st_size, digest)
    if stat.S_ISLNK(status.st_mode):
        return (*own, os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return (*own, tuple(sorted(os.listdir(path))))
    return own


def _inside(file: Path, work: Path) -> bool:
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(work))


def _how(before: State | None, now: State | None) -> str:
    if before is None or now is None or now == ("gone",):
        return "is new" if before is None else "is gone"
    return "has changed"


def _name(path: str | Path, root: Path) -> str:
    return ascii(os.path.relpath(path, root))
