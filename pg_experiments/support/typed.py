"""Validates plain values against the annotations of dataclasses, with one-line errors.

Annotations are such as `Annotated[float, Ge(0), Lt(1)]`, `Literal["relu", "tanh"]` and `int | None`. A value of another
type is refused, not converted, except that an integer is accepted as a float.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import MISSING, fields
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import TypeAdapter, ValidationError

from pg_experiments.support.errors import UserError, nearest, shown


def typed(cls: type, values: Mapping[str, Any], prefix: str) -> Any:
    """Create an instance of a dataclass from plain values, each validated against its field's annotation."""
    usual = {field.name for field in fields(cls) if field.default is not MISSING}
    return cls(**checked_fields(hints_of(cls), values, prefix, usual))


def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def checked_fields(
    hints: Mapping[str, Any], values: Mapping[str, Any], prefix: str, optional: Container[str] = ()
) -> dict[str, Any]:
    """Validate values against annotations.

    Args:
        hints: annotations of the keys.
        values: plain data.
        prefix: prefix of keys in messages.
        optional: keys that may be missing, such as those added after a run was made.

    Raises:
        UserError: a key is unknown or missing, or a value does not fit its annotation.
    """
    for key in values:
        if key not in hints:
            near = nearest(str(key), hints)
            hint = f"did you mean {prefix}{near}?" if near else f"known are {', '.join(sorted(hints))}"
            raise UserError(f"{prefix}{shown(key)}: no such key; {hint}")
    for key in hints:
        if key not in values and key not in optional:
            raise UserError(f"{prefix}{key}: missing; expected {describe(hints[key])}")
    return {key: _value(prefix + key, hint, values[key]) for key, hint in hints.items() if key in values}


def _value(key: str, hint: Any, value: Any) -> Any:
    try:
        checked = _adapter(hint).validate_python(value, strict=True)
    except ValidationError:
        near = _nearest_value(hint, value)
        closing = "" if near is None else f"; the nearest is {near}"
        raise UserError(f"{key}={shown(value)}: expected {describe(hint)}{closing}") from None
    if isinstance(checked, float) and (math.isnan(checked) or (math.isinf(checked) and _has_bounds(hint))):
        raise UserError(f"{key}={checked}: expected {describe(hint)}")
    return checked


def _has_bounds(hint: Any) -> bool:
    return get_origin(hint) is Annotated or any(_has_bounds(part) for part in get_args(hint))


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def describe(hint: Any) -> str:
    """A description of the values that an annotation allows, such as `a number at least 0 and below 1`."""
    if get_origin(hint) is Annotated:
        base, *bounds = get_args(hint)
        words = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}
        limits = [f"{words[type(b)][0]} {getattr(b, words[type(b)][1])}" for b in bounds if type(b) in words]
        return f"{describe(base)} {' and '.join(limits)}"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(describe(part) for part in get_args(hint))
    if get_origin(hint) is list:
        return f"a list, each of it {describe(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "a group of names and texts"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
    return names.get(hint, str(hint))


def _nearest_value(hint: Any, value: Any) -> str | None:
    """The valid value nearest to an invalid one; None where there is none, as for NaN."""
    if get_origin(hint) in (Union, UnionType):
        return next((near for part in get_args(hint) if (near := _nearest_value(part, value))), None)
    if get_origin(hint) is Literal:
        return nearest(str(value), map(str, get_args(hint)))
    if get_origin(hint) is not Annotated or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    base, *bounds = get_args(hint)
    if base is int and isinstance(value, float) and math.isfinite(value):
        value = round(value)
    for bound in bounds:
        if isinstance(bound, Ge) and value < bound.ge:
            return str(bound.ge)
        if isinstance(bound, Le) and value > bound.le:
            return str(bound.le)
        if isinstance(bound, Gt | Lt) and base is float:
            edge = bound.gt if isinstance(bound, Gt) else bound.lt
            wrong = value <= edge if isinstance(bound, Gt) else value >= edge
            if wrong:
                return f"just {'above' if isinstance(bound, Gt) else 'below'} {edge}"
    return None if isinstance(value, float) and math.isinf(value) else shown(value)
