"""Reads YAML and JSON as plain data, with bounds on memory. No content is executed, imported or resolved.

`${…}` stays text. Both readers return dicts, lists, strings, numbers, booleans and None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import yaml

from pg_experiments.support.errors import one_line
from pg_experiments.support.files import SMALL, Directory, FileError

DEPTH = 64  # levels of lists and groups within each other
DIGITS = 100  # of a whole number in JSON
SHALLOW = 8 * 1024  # characters; shorter texts cannot exhaust the C stack of the YAML parser by nesting


class Damaged(FileError):  # noqa: N818  (named after the condition)
    """A file is not valid plain YAML or JSON."""


Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(directory: Directory, name: str, limit: int = SMALL) -> Any:
    """The content of a YAML file as plain data.

    Raises:
        Damaged: the file is not plain YAML, has an alias, or is nested too deeply.
        FileError: the file cannot be read.
    """
    text = directory.read_text(name, limit)
    try:
        if len(text) > SHALLOW or "*" in text:
            _check_events(text)
        value = yaml.load(text, Loader=Loader)
        check_depth(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Damaged(f"{directory.path / name}: is no plain YAML ({_first_line(error)})") from None
    return value


def read_group(directory: Directory, name: str, limit: int = SMALL) -> dict[str, Any]:
    """The content of a YAML file that holds a group of keys.

    Raises:
        FileError: as in `read_yaml`, or the content is not a group of keys.
    """
    value = read_yaml(directory, name, limit)
    if not isinstance(value, dict):
        raise FileError(f"{directory.path / name}: expected a group of keys")
    return {str(key): content for key, content in value.items()}


def read_json(directory: Directory, name: str, limit: int) -> Any:
    """The content of a JSON file.

    Raises:
        Damaged: the file is not JSON, is nested too deeply, or has a number that is not finite.
        FileError: the file cannot be read.
    """
    text = directory.read_text(name, limit)
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
        check_depth(value)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{directory.path / name}: is damaged ({_first_line(error)})") from None
    return value


def check_depth(value: object) -> None:
    """Raises ValueError where lists and groups are nested too deeply."""
    level = {id(value): value}  # by id, so that a shared value is visited once per level
    for _ in range(DEPTH):
        level = {id(inner): inner for outer in level.values() for inner in _inside(outer)}
        if not level:
            return
    raise ValueError(f"more than {DEPTH} levels within each other")


def _inside(outer: Any) -> Iterable[Any]:
    if isinstance(outer, dict):
        return [*outer, *outer.values()]
    return outer if isinstance(outer, list | tuple) else ()


def _check_events(text: str) -> None:
    """Raises ValueError where YAML is nested too deeply or has an alias. Checked before objects are constructed."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"an alias, *{event.anchor}; expected its value")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError(f"more than {DEPTH} levels within each other")


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:DIGITS]} is not a finite number")
    return value


def _first_line(error: BaseException) -> str:
    return one_line((str(error) or type(error).__name__).splitlines()[0])
