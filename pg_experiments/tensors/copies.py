"""Copies of stacked learners: a network whose learners are rows of another's, as often as they are named."""

from __future__ import annotations

import copy
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

Stacked = TypeVar("Stacked", bound=nn.Module)


@runtime_checkable
class KeepsLearners(Protocol):
    """A module that keeps more of each learner than parameters and buffers."""

    def choose(self, learners: Tensor) -> None:
        """Replaces it by that of the learners with indices [R'], in place."""


def copies(module: Stacked, learners: Tensor) -> Stacked:
    """A copy of stacked networks with the learners of indices [R'], which may repeat.

    Its parameters are leaves of their own without gradients, so that each copy of a learner has a gradient by itself.
    """
    rows: dict[int, Any] = {id(p): nn.Parameter(p.detach()[learners]) for p in module.parameters()}
    rows |= {id(buffer): buffer[learners] for buffer in module.buffers()}
    chosen = copy.deepcopy(module, rows)
    for part in chosen.modules():
        if isinstance(part, KeepsLearners):
            part.choose(learners)
    return chosen
