"""Conversion of files of version 0.1 to the current format, so that its runs can be compared, evaluated and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# key of version 0.1 -> current key
MOVED = {
    "algorithm.episodes_per_update": "collect.episodes",
    "algorithm.points_per_update": "collect.points",
    "algorithm.unfinished": "collect.unfinished",
}


def is_of_version_0_1(config: Mapping[str, Any]) -> bool:
    """Whether version 0.1 wrote this config, which had no group `collect`."""
    return "collect" not in config and isinstance(config.get("algorithm"), Mapping)


def upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a run's config, as plain data, to the current groups and keys."""
    if not is_of_version_0_1(config):
        return dict(config)
    algorithm = dict(config["algorithm"])
    episodes = algorithm.pop("episodes_per_update", None)
    points = algorithm.pop("points_per_update", None)
    unit = {"name": "episodes", "episodes": episodes} if points is None else {"name": "points", "points": points}
    return {**config, "algorithm": algorithm, "collect": unit | {"unfinished": algorithm.pop("unfinished", "wait")}}


def upgraded_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a checkpoint's state to the current layout of the parameters of policy and baseline."""
    if "agent" in state or "policy" not in state:
        return dict(state)
    return {**state, "agent": {name: state.get(name) for name in ("policy", "baseline")}}
