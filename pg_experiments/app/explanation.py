"""`--help KEY`: explains one key or one group in the composition at hand."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pg_experiments.app.composing import composing, search_path
from pg_experiments.app.keys import Key, Option, keys_outside_groups, options
from pg_experiments.app.offered import MISSING_VALUE
from pg_experiments.app.option_files import OptionFiles, comments, load
from pg_experiments.support.errors import as_yaml, one_line
from pg_experiments.support.plugins import config_directories

WIDTH = 100  # characters of a line
SWEPT = "a sweep"


@dataclass(frozen=True)
class Place:
    """A place that sets a key: a config file or the command line, in the order in which they are applied."""

    where: str
    value: str
    comment: str = ""


class Explainer:
    """Explains keys in one composition.

    Args:
        directories: config directories, the project's first.
        config_name: the primary config.
        overrides: the overrides of the command line.

    Raises:
        HydraException: the overrides cannot be composed.
    """

    def __init__(self, directories: Sequence[Path], config_name: str, overrides: Sequence[Override]) -> None:
        self.files = OptionFiles(directories)
        self.overrides = overrides
        single = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
        with composing(directories, config_name) as compose:
            self.config = compose(single)
            self.parts = _parts(compose.loader, directories, config_name, single)
        self.choices: dict[str, str] = dict(self.config.hydra.runtime.choices)

    def explain(self, key: str) -> str | None:
        """The explanation of a key or group; None where there is no such key, with any option."""
        if key in self.files.groups:
            return self._group(key)
        described = self._described(key)
        if _is_section(self.config, key):
            return self._section(key)
        if places := self._places(key):
            return self._key(key, described, places)
        return self._of_other_options(key) or None

    def _key(self, name: str, key: Key | None, places: Sequence[Place]) -> str:
        said = key.comment if key else next((place.comment for place in places if place.comment), "")
        lines = [_filled(f"{name}: {said}" if said else name), ""]
        if key:
            lines.append(f"  expected  {key.type}")
        swept = places[-1].comment == SWEPT
        lines.append(f"  value     {places[-1].value if swept else _shown(self._value(name))}")
        width = max(len(place.where) for place in places)
        values = max(len(place.value) for place in places)
        for index, place in enumerate(places):
            reason = f"  # {place.comment}" if place.comment and place.comment != said else ""
            label = "" if index else "set by"
            lines.append(f"  {label:<9} {place.where:<{width}}  {place.value:<{values}}{reason}".rstrip())
        return "\n".join(lines) + "\n"

    def _group(self, group: str) -> str:
        chosen = self.choices.get(group)
        lines = [f"{group}=OPTION"]
        width = max(map(len, self.files.groups[group]))
        for option in sorted(self.files.groups[group]):
            mark = "*" if option == chosen else " "
            lines.append(f"  {mark} {one_line(option):<{width}}  {self.files.describe(group, option)}".rstrip())
        described = next((option for option in options(self.files, group) if option.name == chosen), None)
        if described and described.keys:
            lines += ["", f"Keys of {group}={chosen}, which is chosen here (*), with their values here:"]
            lines += self._table(described.keys)
        return "\n".join(lines) + "\n"

    def _section(self, section: str) -> str:
        said = comments(self.files.root).keys.get(section, "")
        within = [key for key in keys_outside_groups(self.files) if key.name.startswith(f"{section}.")]
        return "\n".join([_filled(f"{section}: {said}" if said else section), "", *self._table(within)]) + "\n"

    def _of_other_options(self, name: str) -> str:
        """The explanation of a key that only other options than the chosen ones have; empty where none has it."""
        group = name.partition(".")[0]
        having = [(option, key) for option in self._options(group) for key in option.keys if key.name == name]
        blocks = [
            f"{_filled(f'{name}: {key.comment}')}\n\n  of        {group}={option.name}"
            f"\n  expected  {key.type}\n  default   {as_yaml(key.default)}\n"
            for option, key in having
        ]
        if not blocks:
            return ""
        return "\n".join([*blocks, f"It has no effect here, with {group}={self.choices.get(group)}.\n"])

    def _described(self, name: str) -> Key | None:
        group = name.partition(".")[0]
        chosen = [option for option in self._options(group) if option.name == self.choices.get(group)]
        keys = [key for option in chosen for key in option.keys] + keys_outside_groups(self.files)
        return next((key for key in keys if key.name == name), None)

    def _options(self, group: str) -> list[Option]:
        return options(self.files, group) if group in self.files.groups else []

    def _table(self, keys: Sequence[Key]) -> list[str]:
        values = [_shown(self._value(key.name)) for key in keys]
        names = max(len(key.name) for key in keys)
        width = max(map(len, values))
        return [
            f"  {key.name:<{names}}  {value:<{width}}  {key.comment}" for key, value in zip(keys, values, strict=True)
        ]

    def _value(self, key: str) -> Any:
        """The composed value as plain data; interpolations such as `${now:…}` stay as they are."""
        parent, _, leaf = key.rpartition(".")
        plain: Any = OmegaConf.to_container(OmegaConf.select(self.config, parent) if parent else self.config)
        return plain[leaf]

    def _places(self, key: str) -> list[Place]:
        found = [place for part in self.parts if (place := part.place(key)) is not None]
        for override in self.overrides:
            if override.key_or_group == key and not override.is_delete():
                text = str(override.input_line).partition("=")[2]
                found.append(Place("the command line", one_line(text), SWEPT * override.is_sweep_override()))
        return found


@dataclass(frozen=True)
class _Part:
    """A config that the composed config is merged from."""

    where: str
    package: str
    values: Mapping[str, Any]
    comments: Mapping[str, str]

    def place(self, key: str) -> Place | None:
        prefix = f"{self.package}." if self.package else ""
        if not key.startswith(prefix):
            return None
        node: Any = self.values
        own = key.removeprefix(prefix)
        for name in own.split("."):
            if not isinstance(node, Mapping) or name not in node:
                return None
            node = node[name]
        if node == MISSING_VALUE:
            return None
        return Place(self.where, _shown(node), self.comments.get(own, ""))


def _parts(loader: ConfigLoader, directories: Sequence[Path], config_name: str, overrides: list[str]) -> list[_Part]:
    """The configs of Hydra's final defaults list, in the order in which they are merged."""
    entries = loader.compute_defaults_list(config_name, [*overrides, *search_path(directories)], RunMode.RUN).defaults
    return [_part(loader, directories, entry.config_path, entry.package or "") for entry in entries]


def _part(loader: ConfigLoader, directories: Sequence[Path], path: str, package: str) -> _Part:
    root, *own = directories
    files = [directory / f"{path}.yaml" for directory in (root, *config_directories(), *own)]
    file = next((file for file in files if file.is_file()), None)
    if file is not None:
        where = f"conf/{path}.yaml" if file.is_relative_to(root) else os.path.relpath(file)
        return _Part(where, package, load(file), comments(file).keys)
    source = next((source for source in loader.get_sources() if source.is_config(path)), None)
    values: Any = {} if source is None else OmegaConf.to_container(source.load_config(path).config, resolve=False)
    owner = "Hydra's" if path.startswith("hydra/") else "the class of"
    return _Part(f"{owner} {path}", package, values if isinstance(values, dict) else {}, {})


def _is_section(config: DictConfig, key: str) -> bool:
    """Whether the key is a group of keys without options, such as `checkpoint`."""
    return key != "hydra" and "." not in key and isinstance(OmegaConf.select(config, key), DictConfig)


def _shown(value: object) -> str:
    """A value as on the command line: `{DOWN: LEFT, UP: RIGHT}`."""
    if not isinstance(value, dict | list):
        return one_line(as_yaml(value))
    return one_line(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf))


def _filled(text: str) -> str:
    return fill(one_line(text), WIDTH, subsequent_indent="  ")
