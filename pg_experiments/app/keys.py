"""The reference of all keys of a run: comment, type and range, default, and the file of each.

Comments and defaults are read from `conf/`, types and ranges from the annotations of the options' fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pg_experiments.app.offered import keys_of
from pg_experiments.app.option_files import OptionFiles, WithoutFile, comments, load
from pg_experiments.support.identity import flat
from pg_experiments.support.interruption import deferred
from pg_experiments.support.typed import describe, hints_of


@dataclass(frozen=True)
class Key:
    """A key of a run.

    Attributes:
        name: dotted, such as `policy.dropout`.
        comment: unit and effect; empty where there is no comment.
        type: type and range in words, such as `a number at least 0 and below 1`.
        default: the value where nothing else sets it, as plain data; `???` for a value that must be given.
        file: the file that sets the default; None for an option of a plugin without a file.
        reason: the comment of this file on its value, where another file explains the key; else empty.
    """

    name: str
    comment: str
    type: str
    default: Any
    file: Path | None
    reason: str = ""


@dataclass(frozen=True)
class Option:
    """An option of a group, with its keys in the order of its file.

    Attributes:
        group: such as `policy`.
        name: such as `mlp`; it is chosen by `policy=mlp`.
        description: the comment of its file, on one line; without a file, the first line of its docstring.
        keys: its keys; none where the option is not one of a run's, such as an experiment. Other options of the group
            may have keys of the same name.
    """

    group: str
    name: str
    description: str
    keys: tuple[Key, ...]


def keys_outside_groups(files: OptionFiles) -> list[Key]:
    """The keys that belong to no group, such as `seed` and `checkpoint.keep`."""
    with deferred():
        from pg_experiments.run import config  # deferred import: torch takes a second

    values, said = flat(load(files.root)), comments(files.root).keys
    hints = config.keys_outside_groups()
    return [Key(key, said.get(key, ""), describe(hint), values.get(key), files.root) for key, hint in hints.items()]


def options(files: OptionFiles, group: str) -> list[Option]:
    """The options of a group, sorted by name.

    Raises:
        UserError: a plugin registers an option that cannot be.
    """
    return [_option(files, group, name) for name in sorted(files.groups[group])]


def _option(files: OptionFiles, group: str, name: str) -> Option:
    source = files.groups[group][name]
    if isinstance(source, WithoutFile):
        types = _types(group, name)
        keys = [Key(f"{group}.{key}", "", types[key], value, None) for key, value in _without_name(name, source)]
        return Option(group, name, files.describe(group, name), tuple(keys))
    found: dict[str, Key] = {}
    types = _types(group, files.values(group, name).get("name", name))
    for file in files.chain(group, name) if types else ():
        said = comments(file).keys
        for key, value in load(file).items():
            if key in ("defaults", "name"):
                continue
            before, comment = found.get(key), said.get(key, "")
            explained = before.comment if before and before.comment else comment
            reason = comment if explained != comment else ""
            found[key] = Key(f"{group}.{key}", explained, types.get(key, ""), value, file, reason)
    return Option(group, name, " ".join(comments(source).lines), tuple(found.values()))


def _without_name(name: str, source: WithoutFile) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in keys_of(name, source.option).items() if key != "name"]


def _types(group: str, name: object) -> dict[str, str]:
    """Type and range of each field of the dataclass of this name; none where there is no such dataclass."""
    with deferred():
        from pg_experiments.run.config import groups

    option = groups().get(group, {}).get(str(name))
    return {} if option is None else {key: describe(hint) for key, hint in hints_of(option).items()}
