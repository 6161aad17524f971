"""Conversion of files of earlier versions to the current format, so that runs can be compared, evaluated and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# former key -> current key
MOVED = {
    "algorithm.episodes_per_update": "collect.episodes",
    "algorithm.points_per_update": "collect.points",
    "algorithm.unfinished": "collect.unfinished",
    "normalization.over": "normalization.returns or normalization.advantages",
}


STD: dict[str, Any] = {"std": "state_independent", "initial_std": 1, "min_std": 0.001, "max_std": 10}
# values of keys that were added later, with which an option does what it did before: by group and name of the option
ADDED: dict[tuple[str, str], dict[str, Any]] = {
    ("policy", "linear"): {**STD, "initial_weights": None},
    ("policy", "mlp"): {**STD, "norm": "none"},
    ("baseline", "value"): {"loss_coefficient": 0.5, "clip_range": None},
    ("env", "gymnasium"): {"observation_keys": None},
    ("env", "atari"): {"observation": "differences"},
}
# options of groups that were added later, with which a run does what it did before
LATER_GROUPS: dict[str, dict[str, Any]] = {"diagnostics": {"name": "none"}}
OVER = {"returns": "episode", "advantages": "batch"}  # former option of `normalization` -> default of its key `over`
NOT_NORMALIZED = {
    "observations": "none",
    "observation_clip": 10.0,
    "rewards": "none",
    "reward_clip": None,
    "returns": "none",
    "advantages": "none",
}


def is_of_version_0_1(config: Mapping[str, Any]) -> bool:
    """Whether version 0.1 wrote this config, which had no group `collect`."""
    return "collect" not in config and isinstance(config.get("algorithm"), Mapping)


def upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a run's config, as plain data, to the current groups and keys."""
    if isinstance(tracking := config.get("tracking"), Mapping):
        config = {**config, "tracking": {"every_steps": 0, **tracking}}
    config = {**LATER_GROUPS, **_with_head(_with_normalization(config))}
    if not is_of_version_0_1(config):
        return config
    algorithm = dict(config["algorithm"])
    episodes = algorithm.pop("episodes_per_update", None)
    points = algorithm.pop("points_per_update", None)
    unit = {"name": "episodes", "episodes": episodes} if points is None else {"name": "points", "points": points}
    collect = unit | {"unfinished": algorithm.pop("unfinished", "wait")}
    return {**config, **_completed(config), "algorithm": algorithm, "collect": collect}


def _with_head(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with `policy.head=auto` for the former default, which was for `Discrete` actions only."""
    keys = config.get("policy")
    if not isinstance(keys, Mapping) or "std" in keys or keys.get("head") != "categorical":
        return dict(config)
    return {**config, "policy": {**keys, "head": "auto"}}


def _with_normalization(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with all keys of `normalization`; `over` belonged to the one quantity that was normalised."""
    keys = config.get("normalization")
    if not isinstance(keys, Mapping) or "rewards" in keys:
        return dict(config)
    name = str(keys.get("name"))
    over = {name: keys.get("over", OVER[name])} if name in OVER and name not in keys else {}
    others = {key: value for key, value in keys.items() if key != "over"}
    return {**config, "normalization": {**NOT_NORMALIZED, **over, **others}}


def _completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The groups whose option has new keys, with these keys."""
    groups = {group: config.get(group) for group, _ in ADDED}
    return {
        group: {**ADDED.get((group, str(keys.get("name"))), {}), **keys}
        for group, keys in groups.items()
        if isinstance(keys, Mapping)
    }


def upgraded_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a checkpoint's state to the current layout of the parameters of policy and baseline."""
    if "agent" in state or "policy" not in state:
        return dict(state)
    return {**state, "agent": {name: state.get(name) for name in ("policy", "baseline")}}
