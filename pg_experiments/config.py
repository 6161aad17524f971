"""From a composed config, which is plain data, to typed and range-checked objects.

Each group's `name` key picks a dataclass from the `OPTIONS` of the module of the same name; nothing else is ever
looked up or called, so a config from somebody's run directory can execute nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import TypeAdapter, ValidationError

from pg_experiments import algorithm, baseline, env, normalization, optimizer, policy, returns
from pg_experiments.algorithm import Reinforce
from pg_experiments.baseline import BaselineOption, MeanOption
from pg_experiments.env import GymnasiumEnv
from pg_experiments.errors import UserError, by_nearness, nearest
from pg_experiments.normalization import Normalization, NormalizedAdvantages, NormalizedReturns
from pg_experiments.optimizer import OptimizerOption
from pg_experiments.policy import MLP, Linear
from pg_experiments.returns import Returns, Trajectory

GROUPS: dict[str, dict[str, type]] = {
    "env": env.OPTIONS,
    "policy": policy.OPTIONS,
    "algorithm": algorithm.OPTIONS,
    "returns": returns.OPTIONS,
    "baseline": baseline.OPTIONS,
    "normalization": normalization.OPTIONS,
    "optimizer": optimizer.OPTIONS,
}


@dataclass(frozen=True)
class Tracking:
    """How much of a run is written down, and how often."""

    plain_every_seconds: Annotated[float, Gt(0)]
    histograms_every: Annotated[int, Ge(0)]


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run."""

    env: GymnasiumEnv
    policy: MLP | Linear
    algorithm: Reinforce
    returns: Returns
    baseline: BaselineOption
    normalization: Normalization
    optimizer: OptimizerOption
    tracking: Tracking
    seed: Annotated[int, Ge(0)]
    num_seeds: Annotated[int, Ge(1)]
    device: Literal["auto", "cpu", "cuda"]

    @property
    def seeds(self) -> list[int]:
        """The seed of each stacked learner."""
        return list(range(self.seed, self.seed + self.num_seeds))


def check(config: Mapping[str, Any]) -> RunConfig:
    """Turn plain data into a checked `RunConfig`.

    Raises:
        UserError: a key is unknown or missing, or a value has the wrong type or lies outside its range.
    """
    values = dict(config)
    built: dict[str, Any] = {}
    for group, options in GROUPS.items():
        built[group] = _option(group, options, values.pop(group, None))
    built["tracking"] = typed(Tracking, _mapping("tracking", values.pop("tracking", None)), "tracking.")
    scalars = {key: hint for key, hint in _hints(RunConfig).items() if key not in built}
    built |= _fields(scalars, values, "")
    checked = RunConfig(**built)
    _check_together(checked)
    return checked


def every_key() -> dict[str, Any]:
    """Every key that any run can have, dotted, with its annotation; a group's own name is its choice of option."""
    keys = _hints(RunConfig)
    for group in [*GROUPS, "tracking"]:
        del keys[group]
    for group, options in GROUPS.items():
        keys[group] = str
        for option in options.values():
            keys |= {f"{group}.{key}": hint for key, hint in _hints(option).items()}
    return keys


def typed(cls: type, values: Mapping[str, Any], prefix: str) -> Any:
    """An instance of a dataclass from plain values, each checked against its field's annotation."""
    return cls(**_fields(_hints(cls), values, prefix))


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def _option(group: str, options: Mapping[str, type], values: Any) -> Any:
    chosen = dict(_mapping(group, values))
    name = chosen.pop("name", None)
    if name not in options:
        raise UserError(f"{group}.name={name}: expected one of {', '.join(by_nearness(str(name), options))}")
    return typed(options[name], chosen, f"{group}.")


def _mapping(key: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise UserError(f"{key}={values}: expected a group of keys")
    return values


def _fields(hints: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    for key in values:
        if key not in hints:
            near = nearest(str(key), hints)
            hint = f"did you mean {prefix}{near}?" if near else f"known are {', '.join(sorted(hints))}"
            raise UserError(f"{prefix}{key}: no such key; {hint}")
    for key in hints:
        if key not in values:
            raise UserError(f"{prefix}{key}: missing; expected {_describe(hints[key])}")
    return {key: _value(prefix + key, hint, values[key]) for key, hint in hints.items()}


def _value(key: str, hint: Any, value: Any) -> Any:
    try:
        checked = _adapter(hint).validate_python(value, strict=True)
    except ValidationError:
        near = _nearest_value(hint, value)
        closing = "" if near is None else f"; the nearest is {near}"
        raise UserError(f"{key}={_yaml(value)}: expected {_describe(hint)}{closing}") from None
    if isinstance(checked, float) and (math.isnan(checked) or (math.isinf(checked) and _has_bounds(hint))):
        raise UserError(f"{key}={checked}: expected {_describe(hint)}")
    return checked


def _has_bounds(hint: Any) -> bool:
    return get_origin(hint) is Annotated or any(_has_bounds(part) for part in get_args(hint))


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _yaml(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _describe(hint: Any) -> str:
    """What a value of this annotation is, in words."""
    if get_origin(hint) is Annotated:
        base, *bounds = get_args(hint)
        words = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}
        limits = [f"{words[type(b)][0]} {getattr(b, words[type(b)][1])}" for b in bounds if type(b) in words]
        return f"{_describe(base)} {' and '.join(limits)}"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_describe(part) for part in get_args(hint))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
    return names.get(hint, str(hint))


def _nearest_value(hint: Any, value: Any) -> str | None:
    """The valid value next to a wrong one, where that can be said."""
    if get_origin(hint) in (Union, UnionType):
        return next((near for part in get_args(hint) if (near := _nearest_value(part, value))), None)
    if get_origin(hint) is Literal:
        return nearest(str(value), map(str, get_args(hint)))
    if get_origin(hint) is not Annotated or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    base, *bounds = get_args(hint)
    if base is int:
        value = round(value) if math.isfinite(value) else 0
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
    return str(value)


def _check_together(config: RunConfig) -> None:
    """What no key can say alone."""
    if config.env.max_episodes is None and config.env.max_steps is None:
        raise UserError("env.max_episodes=null and env.max_steps=null: a run needs at least one limit")
    quota, limit = config.algorithm.episodes_per_update, config.env.max_episodes
    if limit is not None and quota > limit:
        raise UserError(
            f"algorithm.episodes_per_update={quota}: expected at most env.max_episodes={limit}; the nearest is {limit}"
        )
    _check_that_something_is_learned(config)
    bootstraps = getattr(config.baseline, "bootstrap", False)
    if bootstraps and isinstance(config.normalization, NormalizedReturns):
        raise UserError(
            "baseline.bootstrap=true with normalization=returns: V(s) must be in the environment's units to continue "
            "a return; use normalization=advantages or normalization=none"
        )


def _check_that_something_is_learned(config: RunConfig) -> None:
    """All steps of an episode have the same R(τ), so what centres an episode's returns by themselves leaves 0."""
    if not isinstance(config.returns, Trajectory):
        return
    if isinstance(config.normalization, NormalizedReturns):
        centred_by = "normalization=returns"
    elif config.algorithm.episodes_per_update > 1:
        return
    elif isinstance(config.normalization, NormalizedAdvantages):
        centred_by = "normalization=advantages and algorithm.episodes_per_update=1"
    elif isinstance(config.baseline, MeanOption):
        centred_by = "baseline=mean and algorithm.episodes_per_update=1"
    else:
        return
    raise UserError(
        f"returns=trajectory with {centred_by}: all steps of an episode have the same return, and nothing is left to "
        "learn from; use normalization=none, or normalization=advantages with several episodes per update"
    )
