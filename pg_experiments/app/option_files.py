"""Contents of the config directories: groups, their options, and each option's description and keys.

Files are read as plain YAML without composing, so that help and suggestions are fast. Unreadable files are skipped: a
suggestion must not raise an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pg_experiments.app.comments import Comments, comments_of
from pg_experiments.app.offered import keys_of
from pg_experiments.support.errors import FileError, UserError, near_directory, one_line
from pg_experiments.support.files import SMALL, Directory
from pg_experiments.support.plain_data import DEPTH, Loader, read_group
from pg_experiments.support.plugins import config_directories, registered

MOST_VALUES = 100_000  # of a config file after its aliases are expanded


@dataclass(frozen=True)
class WithoutFile:
    """An option of a plugin without a YAML file."""

    name: str
    option: type


class OptionFiles:
    """The options of the project, of plugins, and of the user's `--config-dir`."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.root = directories[0] / "config.yaml"
        self.own = directories[1:]
        self.groups: dict[str, dict[str, Path | WithoutFile]] = {
            group: {name: WithoutFile(name, option) for name, option in options.items()}
            for group, options in registered().items()
        }
        for directory in reversed([directories[0], *config_directories(), *self.own]):  # Hydra reads the first
            for file in _files(directory, "*/*.yaml"):
                self.groups.setdefault(file.parent.name, {})[file.stem] = file
        self.groups.pop("tuned", None)  # chosen by the environment, not by the user

    def describe(self, group: str, option: str) -> str:
        """The first line of the comment of an option's file; without a file, its docstring's first line."""
        source = self.groups[group][option]
        if isinstance(source, WithoutFile):
            return one_line((source.option.__doc__ or "").strip().partition("\n")[0])
        return comments(source).first

    def keys(self, group: str) -> dict[str, list[str]]:
        """Each key of the group's options, with the names of the options that have it."""
        found: dict[str, list[str]] = {}
        for option, source in self.groups[group].items():
            own = keys_of(option, source.option) if isinstance(source, WithoutFile) else self.values(group, option)
            for key in own:
                found.setdefault(key, []).append(option)
        return {key: options for key, options in found.items() if key not in ("defaults", "name")}

    def chain(self, group: str, option: str) -> list[Path]:
        """The files of an option: those that its defaults list names in the same folder, then its own."""
        chain: list[Path] = []
        while (file := self.groups[group].get(option)) not in chain and isinstance(file, Path):
            chain.insert(0, file)
            defaults = load(file).get("defaults")
            names = [str(entry) for entry in defaults] if isinstance(defaults, list) else []
            option = next((name for name in names if name in self.groups[group]), "")
        return chain

    def values(self, group: str, option: str) -> dict[str, Any]:
        """The values of an option's own keys, of all files of its chain."""
        return {key: value for file in self.chain(group, option) for key, value in load(file).items()}

    def all_keys(self) -> list[str]:
        """All dotted keys of a run, and all groups."""
        root = load(self.root)
        dotted = [f"{section}.{key}" for section in ("tracking", "checkpoint") for key in root.get(section, ())]
        dotted += [key for key, value in root.items() if not isinstance(value, dict | list)]
        for group in self.groups:
            dotted += [group, *(f"{group}.{key}" for key in self.keys(group) if group != "experiment")]
        return dotted

    def check_own(self) -> None:
        """Check the files in `--config-dir`: their names, and their size, as Hydra reads them without a bound.

        Raises:
            UserError: a `--config-dir` is not a directory, or a file in it is too large, too deeply nested, or too
                large after its aliases are expanded, or has the name of one of the project's or of a plugin's, which
                Hydra would read instead.
        """
        for directory in self.own:
            if not directory.is_dir():
                hint = near_directory(directory)
                raise UserError(f"--config-dir={directory}: not found; expected a directory{hint}")
        patterns = ("*.yaml", "*/*.yaml", "*/*/*.yaml")
        found = (_files(directory, pattern) for directory in self.own for pattern in patterns)
        for file in (file for files in found for file in files if file.is_file()):  # Hydra opens regular files only
            _check_bounds(file)
        for directory in self.own:
            for file in _files(directory, "*/*.yaml"):
                group, option = file.parent.name, file.stem
                read = self.groups.get(group, {}).get(option)
                if isinstance(read, Path) and file.is_file() and not read.samefile(file):
                    raise UserError(f"{file}: {group}={option} is already {read}; expected another file name")


def _files(directory: Path, pattern: str) -> list[Path]:
    try:
        return [directory / name for name in Directory(directory).glob(pattern)]
    except FileError:
        return []


def text_of(file: Path) -> str:
    """The content of a file. Links are followed, as config directories are trusted."""
    real = file.resolve()
    return Directory(real.parent).read_text(real.name)


def load(file: Path) -> dict[str, Any]:
    """The group of keys in a file; an empty dict where it cannot be read as one."""
    real = file.resolve()
    try:
        return read_group(Directory(real.parent), real.name)
    except FileError:
        return {}


def comments(file: Path) -> Comments:
    """The comments in a file; none where it cannot be read."""
    try:
        return comments_of(text_of(file))
    except FileError:
        return Comments()


def _check_bounds(file: Path) -> None:
    if file.stat().st_size > SMALL:
        raise FileError(f"{file}: is larger than {SMALL:,} bytes, the most that is read of it")
    try:
        text = text_of(file)
    except FileError:  # reported by Hydra, if it reads the file
        return
    sizes: dict[str, int] = {}  # number of values by anchor
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor, and values so far
    for event in _events(text):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            if len(open_nodes) > DEPTH:
                raise FileError(f"{file}: more than {DEPTH} levels within each other")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            anchor, size = None, sizes.get(event.anchor, 0)
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        outer, so_far = open_nodes.pop()
        open_nodes.append((outer, so_far + size))
        if so_far + size > MOST_VALUES:
            raise FileError(f"{file}: its aliases stand for more than {MOST_VALUES:,} values")


def _events(text: str) -> Iterator[yaml.Event]:
    """The events of a YAML parser up to the first error, which Hydra reports."""
    try:
        yield from yaml.parse(text, Loader=Loader)
    except yaml.YAMLError:
        return
