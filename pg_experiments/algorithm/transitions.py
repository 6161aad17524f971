"""Transitions: one step each, with the observation that followed, as rows of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pg_experiments.tensors.rollout import Rollout


class Transitions(NamedTuple):
    """N transitions of each of R learners."""

    observations: Tensor  # [R, N, *shape]
    actions: Tensor  # [R, N, A]
    rewards: Tensor  # [R, N]
    terminated: Tensor  # [R, N], 1 where the environment ended the episode; 0 where a time limit truncated it
    next_observations: Tensor  # [R, N, *shape] 0 where the environment ended the episode


@dataclass(frozen=True)
class Layout:
    """The order of the numbers of a transition in its row: as in `Transitions`, each flattened."""

    observation_shape: tuple[int, ...]
    actions: int  # numbers of an action

    @property
    def width(self) -> int:
        """The number of numbers in a row."""
        return 2 * math.prod(self.observation_shape) + self.actions + 2

    def rows(self, rollout: Rollout, actions: Tensor) -> Tensor:
        """The transitions of a batch of fragments, [R, T · E, width] in order of time, then of environment.

        Args:
            rollout: the batch, with dense observations.
            actions: [T, R, E, A] as they are stored.
        """
        observations = rollout.observations
        assert rollout.full, "checked by `SAC.validate`"
        assert isinstance(observations, Tensor), "checked by `SAC.validate`"
        shown = rollout.finals.observations
        assert isinstance(shown, Tensor), "as the observations are"
        following = torch.cat([observations[1:], observations[:1]])
        following = torch.where(_as(rollout.terminated, observations), 0.0, following)
        valid = rollout.finals.valid
        following.flatten(0, 2)[rollout.finals.positions[valid]] = shown[valid]
        parts = (observations, actions, rollout.rewards[..., None], rollout.terminated[..., None], following)
        rows = torch.cat([part.flatten(3).float() for part in parts], 3)  # [T, R, E, width]
        return rows.transpose(0, 1).flatten(1, 2)

    def split(self, rows: Tensor) -> Transitions:
        """The transitions of rows [R, N, width]."""
        size = math.prod(self.observation_shape)
        observations, actions, rewards, terminated, following = rows.split([size, self.actions, 1, 1, size], 2)
        shape = (2, self.observation_shape)
        return Transitions(
            observations.unflatten(*shape),
            actions,
            rewards.squeeze(2),
            terminated.squeeze(2),
            following.unflatten(*shape),
        )


def _as(mask: Tensor, like: Tensor) -> Tensor:
    """[T, R, E] -> [T, R, E, 1, …] with as many axes as another tensor."""
    return mask.view(*mask.shape, *(1 for _ in like.shape[3:]))
