"""Converts what is given from Python (texts, mappings, composed configs) to overrides, as a command line has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike, fspath

import numpy as np

from pg_experiments.app.config import Config
from pg_experiments.support.errors import UserError, shown

Given = str | Mapping[str, object] | Config
BARE = re.compile(r"[A-Za-z_][\w./-]*")  # a text that needs no quotes
WORDS = {"true", "false", "null", "nan", "inf"}  # texts that are values of other types without quotes


def overrides_from(given: Iterable[Given]) -> list[str]:
    """The overrides that are given as texts, mappings or composed configs, in this order.

    Raises:
        UserError: an override is of the commands alone.
        TypeError: something else is given.
    """
    found: list[str] = []
    for each in given:
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, Config):
            found += each.overrides
        elif isinstance(each, Mapping):
            found += [f"{key}={text_of(value)}" for key, value in _flat(each)]
        else:
            raise TypeError(f"{each!r}: expected an override as 'key=value', a mapping, or what compose returns")
    for override in found:
        if re.match(r"[+~]*hydra[./@]", override):
            raise UserError(f"{override}: is for the commands; from Python, directory=DIR says where files are written")
    return found


def sweep_from(grid: Mapping[str, object]) -> list[str]:
    """The overrides of a sweep: the values of each key, which may be nested.

    Raises:
        UserError: a key has no values.
        TypeError: the values of a key are not a sequence.
    """
    found = []
    for key, values in _flat(grid, values_too=True):
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | range):
            raise TypeError(f"{key}={values!r}: expected a list of the values to compare, as [{values!r}]")
        if not len(values):
            raise UserError(f"{key}=: has no values, and the sweep no jobs; expected at least one")
        found.append(f"{key}={','.join(map(text_of, values))}")
    if not found:
        raise UserError("sweep: expected at least one key with its values, as {'policy.hidden': [64, 128]}")
    return found


def _flat(values: Mapping[str, object], prefix: str = "", *, values_too: bool = False) -> Iterator[tuple[str, object]]:
    """The dotted keys of nested groups, with their values.

    Args:
        values: keys to values or groups.
        prefix: of all keys.
        values_too: whether the value of a dotted key is flattened, too, where it is a mapping.
    """
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and (values_too or "." not in name):
            yield from _flat(value, f"{name}.", values_too=values_too)
        else:
            yield name, value


def text_of(value: object) -> str:
    """A value in Hydra's syntax of overrides.

    Raises:
        TypeError: it is no plain value.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, PathLike):
        value = fspath(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return value if _is_bare(value) else quoted(value)
    if isinstance(value, list | tuple | range):
        return f"[{','.join(map(text_of, value))}]"
    if isinstance(value, Mapping) and all(isinstance(key, str) and _is_bare(key) for key in value):
        return f"{{{','.join(f'{key}:{text_of(each)}' for key, each in value.items())}}}"
    raise TypeError(f"{shown(value)}: expected a number, a text, True, False, None, a list, or a mapping from names")


def _is_bare(text: str) -> bool:
    return BARE.fullmatch(text) is not None and text.lower() not in WORDS


def quoted(text: str) -> str:
    """A text in single quotes. Backslashes are doubled only before a quote, as Hydra reads them."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"
