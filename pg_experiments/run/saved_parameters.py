"""Extracts the parameters of one learner from a checkpoint, and validates them.

A checkpoint may be damaged or untrusted: it holds tensors and numbers, but not necessarily those of a run. Invalid
content raises ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

State = Mapping[str, Any]


def update_of(state: State) -> int:
    """The number of updates at a checkpoint."""
    update = state.get("update")
    if type(update) is not int or update < 0:
        raise ValueError("update: expected a whole number at least 0")
    return update


def best_learner(state: State, learners: int) -> int:
    """The index of the learner with the highest best mean return."""
    returns = _tensor("best.mean_return", _group(state, "best").get("mean_return"), torch.float64, learners)
    if returns.isnan().any():
        raise ValueError("best.mean_return: is not a number")
    return int(returns.argmax())


def last_parameters(state: State, learner: int, learners: int) -> tuple[int, dict[str, Tensor]]:
    """The number of updates, and the last parameters of a learner, each with a leading axis of 1."""
    agent = _group(state, "agent")
    return update_of(state), _of_learner(_group(agent, "policy"), "agent.policy", learner, learners)


def baseline_parameters(state: State, learner: int, learners: int) -> dict[str, Tensor]:
    """The last parameters of a learner's baseline, each with a leading axis of 1."""
    return _of_learner(_group(_group(state, "agent"), "baseline"), "agent.baseline", learner, learners)


def best_parameters(state: State, learner: int, learners: int) -> tuple[int, dict[str, Tensor]]:
    """Likewise at the learner's best mean return."""
    best = _group(state, "best")
    updates = _tensor("best.update", best.get("update"), torch.int64, learners)
    if not 0 <= updates[learner] <= update_of(state):
        raise ValueError(f"best.update: expected 0 to {update_of(state)}")
    return int(updates[learner]), _of_learner(_group(best, "policy"), "best.policy", learner, learners)


def _group(values: State, key: str) -> State:
    group = values.get(key)
    if not isinstance(group, Mapping):
        raise ValueError(f"{key}: expected a group of keys")
    return group


def _of_learner(parameters: State, key: str, learner: int, learners: int) -> dict[str, Tensor]:
    found = {}
    for name, value in parameters.items():
        dtype = torch.float64 if getattr(value, "dtype", None) == torch.float64 else torch.float32
        tensor = _tensor(f"{key}.{name}", value, dtype, learners)[learner : learner + 1]
        if not tensor.isfinite().all():
            raise ValueError(f"{key}.{name}: has a value that is not a finite number")
        found[str(name)] = tensor
    return found


def _tensor(name: str, value: Any, dtype: torch.dtype, learners: int) -> Tensor:
    """Validate a dense CPU tensor with an entry for each learner.

    A tensor in a checkpoint may be sparse, or have a storage smaller than its shape.
    """
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        raise ValueError(f"{name}: expected a tensor")
    if value.dtype != dtype or value.dim() == 0 or len(value) != learners:
        shape = tuple(value.shape)
        raise ValueError(f"{name}: expected {dtype} of {learners} learners, not {value.dtype} of shape {shape}")
    if value.numel() == 0 or value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise ValueError(f"{name}: has not the numbers that its shape {tuple(value.shape)} says")
    return value.detach()
