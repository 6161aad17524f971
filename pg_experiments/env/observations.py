"""Observations of any Gymnasium space as arrays of floating-point numbers, by Gymnasium's own wrappers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import DtypeObservation, FilterObservation, FlattenObservation, TransformObservation

from pg_experiments.support.errors import UserError, nearest

Env = gymnasium.Env[Any, Any]


def with_arrays(env: Env, keys: Sequence[str] | None, id: str) -> Env:
    """The environment with `Box` observations of floating-point numbers.

    A `Box` keeps its shape. `Discrete` and `MultiDiscrete` become one-hot. The parts of a `Dict` or `Tuple` are put one
    behind the other, those of a `Dict` in Gymnasium's order, which is that of the names. A `Dict` of one chosen key
    becomes the observation of this key.

    Args:
        env: an environment.
        keys: the keys of a `Dict` that are observed; None for all.
        id: the environment's id, for messages.

    Raises:
        UserError: there are no such keys, or the space has no fixed size.
    """
    if keys is not None:
        env = _of_keys(env, keys, id)
    space = env.observation_space
    if not isinstance(space, Box) or not space.shape:
        if not space.is_np_flattenable:
            raise UserError(f"env.id={id}: its observations are {type(space).__name__}, which have no fixed size")
        env = FlattenObservation(env)
    is_float = np.issubdtype(env.observation_space.dtype, np.floating)
    return env if is_float else DtypeObservation(env, np.float32)


def _of_keys(env: Env, keys: Sequence[str], id: str) -> Env:
    space = env.observation_space
    if not isinstance(space, gymnasium.spaces.Dict):
        raise UserError(
            f"env.observation_keys={list(keys)}: the observations of {id} are {type(space).__name__}, and only a Dict "
            "has keys; the nearest is null"
        )
    for key in keys:
        if key not in space.spaces:
            near = nearest(key, space.spaces) or ", ".join(space.spaces)
            raise UserError(f"env.observation_keys: the observations of {id} have no {key}; the nearest is {near}")
    if len(set(keys)) != len(keys) or not keys:
        raise UserError(f"env.observation_keys={list(keys)}: expected distinct keys, at least one, or null")
    if len(keys) == 1:
        return TransformObservation(env, lambda observation: observation[keys[0]], space[keys[0]])
    return FilterObservation(env, keys)
