"""The identity of a run: its configuration by dotted keys, without settings that do not affect learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pg_experiments.support.errors import shown

SIDESHOWS = {"tracking", "checkpoint"}  # groups that do not affect learning
# keys whose values may change when a run is resumed: limits of training, and the device
RESUMABLE = ("env.max_episodes", "env.max_steps", "env.threshold", "device")
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


def _text(values: Mapping[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "absent"
