"""The graph of a batch through policy and environment."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Graph(NamedTuple):
    """Tensors with their graph, which goes from the policy's parameters through actions, states and observations."""

    outputs: tuple[Tensor, ...]  # T of [R, E, K], of the policy network
    rewards: Tensor  # [T, R, E]
    following: Tensor  # [T, R, E, *shape] observations after each action, before a reset

    def following_at(self, positions: Tensor) -> Tensor:
        """The observations [R, M, *shape] after the steps at positions [R, M] in the flattened [T, R, E]."""
        return self.following.flatten(0, 2)[positions]
