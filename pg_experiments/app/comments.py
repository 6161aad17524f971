"""Reads the comments of a YAML config file: that of the file, and that of each key.

PyYAML drops comments, so they are cut out of the text at the positions that its parser reports:

    # A multi-layer perceptron.            the file's: the comment lines before everything else
    head: categorical # softmax            a key's: behind its value,
      # or a single logit                  on further lines that are indented more than the key,
    # true or false                        and on the lines directly above the key
    bias: true

A blank line after a comment separates it from the key below: it is about several keys, and belongs to none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from pg_experiments.support.errors import one_line


@dataclass(frozen=True)
class Comments:
    """The comments of a file, each on one line.

    Attributes:
        lines: of the file; the lines before its first key.
        keys: by dotted key, of the keys that have one.
    """

    lines: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The first line of the file's comment; empty where there is none."""
        return next(iter(self.lines), "")


def comments_of(text: str) -> Comments:
    """Read the comments of a YAML text; those of keys only where the text is a valid group of keys."""
    lines = text.split("\n")  # as YAML does; `splitlines` also splits at form feeds
    head = 0
    while head < len(lines) and lines[head].startswith("#"):
        head += 1
    of_file = (_text([line]) for line in lines[:head] if not _text([line]).startswith("@package"))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        node = None
    keys = {}
    for key, place in _places(node, "") if isinstance(node, yaml.MappingNode) else ():
        if comment := _text([*_above(lines, place, head), *_behind(lines, place)]):
            keys[key] = comment
    return Comments(tuple(filter(None, of_file)), keys)


@dataclass(frozen=True)
class _Place:
    """Where a key stands: its line and column, and the line and column behind its value."""

    line: int
    column: int
    last_line: int
    end: int


def _places(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, _Place]]:
    """Each dotted key with its place. What is within a list or within {} has no key of its own."""
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, start, end = f"{prefix}{key.value}", key.start_mark, value.end_mark
        group: Any = value if isinstance(value, yaml.MappingNode) and not value.flow_style else None
        if group is not None or (isinstance(value, yaml.SequenceNode) and not value.flow_style):
            end = key.end_mark  # the value begins on a line of its own
        yield name, _Place(start.line, start.column, end.line, end.column)
        if group is not None:
            yield from _places(group, f"{name}.")


def _above(lines: list[str], place: _Place, head: int) -> list[str]:
    """The comment lines directly above a key, in its column."""
    first = place.line
    while first > head and _is_comment(lines[first - 1]) and _indent(lines[first - 1]) == place.column:
        first -= 1
    return lines[first : place.line]


def _behind(lines: list[str], place: _Place) -> list[str]:
    """The comment behind a value, with the lines below it that are indented more than the key."""
    rest = lines[place.last_line][place.end :].removeprefix(":").strip()
    if not rest.startswith("#"):
        return []
    last = place.last_line + 1
    while last < len(lines) and _is_comment(lines[last]) and _indent(lines[last]) > place.column:
        last += 1
    return [rest, *lines[place.last_line + 1 : last]]


def _is_comment(line: str) -> bool:
    return line.lstrip(" ").startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _text(lines: list[str]) -> str:
    return one_line(" ".join(line.strip().removeprefix("#") for line in lines))
