"""The identity of a run: its configuration by dotted keys, without settings that do not affect learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pg_experiments.support.errors import shown

SIDESHOWS = {"tracking", "checkpoint"}  # groups that do not affect learning
# keys whose values may change when a run is resumed: limits of training, and the device
RESUMABLE = ("env.max_episodes", "env.max_steps", "env.threshold", "device")
FEW = 5  # keys that a message names
CONFIG = ".hydra/config.yaml"  # in a run's directory


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested groups of keys to dotted keys."""
    keys: dict[str, Any] = {}
    for key, value in values.items():
        keys |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return keys


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all dotted keys that affect learning."""
    return {key: value for key, value in flat(config).items() if not is_sideshow(key)}


def is_sideshow(key: str) -> bool:
    """Whether a dotted key does not affect learning."""
    return key.partition(".")[0] in SIDESHOWS


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The dotted keys that differ, with both values as text; `absent` for a missing key."""
    absent = object()
    keys = [key for key in {**before, **now} if before.get(key, absent) != now.get(key, absent)]
    return {key: (_text(before, key), _text(now, key)) for key in keys}


def in_words(differ: Mapping[str, tuple[str, str]]) -> str:
    """Format the result of `differences` for a message."""
    return "; ".join(f"{key} was {before}, is {now}" for key, (before, now) in differ.items())


def refuse_another(config: Any, values: Mapping[str, Any]) -> None:
    """Raises ValueError where a checkpoint's configuration is missing or is not the run's."""
    if not isinstance(config, dict) or not all(map(_is_plain, config.values())):
        raise ValueError("the checkpoint does not say of which configuration it is")
    differ = differences(config, values)
    others = [f"{key} is {there}, not {here}" for key, (there, here) in differ.items() if key not in RESUMABLE]
    if others:
        more = f"; and {len(others) - FEW} more" if len(others) > FEW else ""
        raise ValueError(f"the checkpoint is of another configuration ({'; '.join(others[:FEW])}{more})")


def _is_plain(value: Any) -> bool:
    """Whether a value is plain YAML data. A tensor is not, and cannot be compared with it."""
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    return all(map(_is_plain, value)) if isinstance(value, list) else isinstance(value, str | int | float | None)


def _text(values: Mapping[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "absent"
