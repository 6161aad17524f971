"""Converts a composed config, which is plain data, to typed and range-checked objects.

The `name` key of each group selects a dataclass from the `OPTIONS` of the module of the same name, or from the options
registered by plugins of this process. No other name is looked up or called, so an untrusted config cannot execute code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt

from pg_experiments import algorithm, baseline, collect, diagnostics, env, normalization, optimizer, policy, returns
from pg_experiments.algorithm.agent import AlgorithmOption
from pg_experiments.baseline import BaselineOption
from pg_experiments.collect import CollectOption
from pg_experiments.diagnostics import DiagnosticsOption
from pg_experiments.env import EnvOption
from pg_experiments.normalization import Normalization
from pg_experiments.optimizer import OptimizerOption
from pg_experiments.policy import PolicyOption
from pg_experiments.returns import ReturnsOption
from pg_experiments.run.checkpoint import Checkpointing
from pg_experiments.run.device import Device, refuse_device
from pg_experiments.support.errors import UserError, by_nearness, shown
from pg_experiments.support.legacy import LATER_GROUPS
from pg_experiments.support.plugins import registered
from pg_experiments.support.typed import checked_fields, hints_of, typed

GROUPS: dict[str, dict[str, type]] = {
    "env": env.OPTIONS,
    "collect": collect.OPTIONS,
    "policy": policy.OPTIONS,
    "algorithm": algorithm.OPTIONS,
    "returns": returns.OPTIONS,
    "baseline": baseline.OPTIONS,
    "normalization": normalization.OPTIONS,
    "optimizer": optimizer.OPTIONS,
    "diagnostics": diagnostics.OPTIONS,
}


@dataclass(frozen=True)
class Tracking:
    """Intervals of rows, progress lines and histograms."""

    every_steps: Annotated[int, Ge(0)]
    plain_every_seconds: Annotated[float, Gt(0)]
    histograms_every: Annotated[int, Ge(0)]


SECTIONS: dict[str, type] = {"tracking": Tracking, "checkpoint": Checkpointing}  # without options


@dataclass(frozen=True)
class RunConfig:
    """The complete config of a run."""

    env: EnvOption
    collect: CollectOption
    policy: PolicyOption
    algorithm: AlgorithmOption
    returns: ReturnsOption
    baseline: BaselineOption
    normalization: Normalization
    optimizer: OptimizerOption
    diagnostics: DiagnosticsOption
    tracking: Tracking
    checkpoint: Checkpointing
    seed: Annotated[int, Ge(0)]
    num_seeds: Annotated[int, Ge(1)]
    device: Device

    @property
    def seeds(self) -> list[int]:
        """The seed of each stacked learner."""
        return list(range(self.seed, self.seed + self.num_seeds))


def groups() -> dict[str, dict[str, type]]:
    """The options of each group by name, including those of plugins.

    Raises:
        UserError: a plugin has registered an option of an unknown group, or one that already exists.
    """
    every = {group: dict(options) for group, options in GROUPS.items()}
    for group, options in registered().items():
        for name, cls in options.items():
            if group not in every:
                raise UserError(
                    f"{cls.__module__}: registers {group}={name}; expected a group, one of "
                    f"{', '.join(by_nearness(group, every))}"
                )
            if name in GROUPS[group]:
                raise UserError(f"{cls.__module__}: registers {group}={name}, which there is already")
            every[group][name] = cls
    return every


def check(config: Mapping[str, Any], given: Collection[str] = ()) -> RunConfig:
    """Convert plain data to a validated `RunConfig`. Groups that earlier runs of this version had not may be missing.

    Args:
        config: nested dicts.
        given: the keys that were set by hand.

    Raises:
        UserError: a key is unknown or missing, a value has the wrong type or is out of range, options conflict, or a
            key that was set by hand has no effect.
    """
    values = dict(config)
    built: dict[str, Any] = {}
    for group, options in groups().items():
        built[group] = _option(group, options, values.pop(group, LATER_GROUPS.get(group)))
    for section, cls in SECTIONS.items():
        built[section] = typed(cls, _mapping(section, values.pop(section, None)), f"{section}.")
    refuse_device(values.get("device"))
    built |= checked_fields(_scalars(), values, "")
    checked = RunConfig(**built)
    _validate(checked)
    _refuse_without_effect(checked, given)
    return checked


def every_key() -> dict[str, Any]:
    """All dotted keys that a run can have, with their annotations. The key of a group is its chosen option."""
    keys = _scalars()
    for group, options in groups().items():
        keys[group] = str
        for option in options.values():
            keys |= {f"{group}.{key}": hint for key, hint in hints_of(option).items()}
    return keys


def keys_outside_groups() -> dict[str, Any]:
    """The annotations of the keys that belong to no group, such as `seed` and `checkpoint.keep`."""
    keys = _scalars()
    for section, cls in SECTIONS.items():
        keys |= {f"{section}.{key}": hint for key, hint in hints_of(cls).items()}
    return keys


def _scalars() -> dict[str, Any]:
    return {key: hint for key, hint in hints_of(RunConfig).items() if key not in GROUPS and key not in SECTIONS}


def _option(group: str, options: Mapping[str, type], values: Any) -> Any:
    chosen = dict(_mapping(group, values))
    name = chosen.pop("name", None)
    if not isinstance(name, str) or name not in options:
        raise UserError(f"{group}.name={shown(name)}: expected one of {', '.join(by_nearness(str(name), options))}")
    return typed(options[name], chosen, f"{group}.")


def _mapping(key: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise UserError(f"{key}={shown(values)}: expected a group of keys")
    return values


def _validate(config: RunConfig) -> None:
    """Calls `validate` of each option that has it, which checks its combination with other options."""
    for group in GROUPS:
        validate = getattr(getattr(config, group), "validate", None)
        if validate is not None:
            validate(config)


def _refuse_without_effect(config: RunConfig, given: Collection[str]) -> None:
    """Raises UserError for a key of the environment that was set by hand, and that it does not use."""
    unused = getattr(config.env, "without_effect", None)
    for key, because in ({} if unused is None else unused(config)).items():
        if f"env.{key}" in given:
            raise UserError(f"env.{key}: has no effect with {because}; leave it out")
