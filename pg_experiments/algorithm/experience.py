"""The steps of a batch with what was computed from them, and its mini-batches as dense tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from pg_experiments.algorithm.credit import Credit
from pg_experiments.normalization import Normalization
from pg_experiments.tensors.networks import Observations
from pg_experiments.tensors.rollout import FlatIndex, Rollout


class Steps(NamedTuple):
    """Some steps of each learner, [R, N, *rest] each."""

    places: FlatIndex
    observations: Observations
    noise: Tensor | None
    actions: Tensor
    action_masks: Tensor | None
    advantages: Tensor
    returns: Tensor
    old_values: Tensor  # V(s) before the update
    old_log_probs: Tensor  # log π(a | s) before the update


class Experience:
    """A batch, and what was computed from it before the update."""

    def __init__(self, rollout: Rollout, credit: Credit, old_log_probs: Tensor) -> None:
        """`old_log_probs` is [T, R, E]."""
        self.rollout = rollout
        self.learners = rollout.learners.tolist()
        # [4, T, R, E], so that a mini-batch is taken from all at once
        self.computed = torch.stack([credit.advantages, credit.returns, credit.values, old_log_probs])


@dataclass(frozen=True)
class MiniBatch:
    """Some steps of a batch."""

    index: FlatIndex
    experience: Experience
    computed: Tensor  # [4, R, N] advantages (normalised, if over mini-batches), returns, old values and log π(a | s)
    counts: Tensor  # [R] number of steps

    @classmethod
    def of(cls, experience: Experience, index: FlatIndex, normalization: Normalization) -> MiniBatch:
        """The steps of an index."""
        computed = index.gather_each(experience.computed)
        advantages = computed[0]
        valid = None if index.full else index.valid
        if (normalized := normalization.of_minibatch(advantages, valid)) is not advantages:
            computed[0] = normalized
        return cls(index, experience, computed, index.counts.clamp(min=1))

    def with_old_log_probs(self, log_probs: Tensor) -> MiniBatch:
        """The same with log π(a | s) [R, N] from before the update."""
        return replace(self, computed=torch.cat([self.computed[:3], log_probs[None]]))

    def blocks(self) -> Iterator[Steps]:
        """Yields the steps in blocks that bound the memory."""
        rollout = self.experience.rollout
        for index, computed in zip(self.index.blocks(), self.computed.split(self.index.block, 2), strict=True):
            noise = None if rollout.dropout_masks is None else index.gather(rollout.dropout_masks)
            observations, actions = index.gather(rollout.observations), index.gather(rollout.actions)
            allowed = rollout.action_masks_at(index)
            yield Steps(index, observations, noise, actions, allowed, *computed.unbind())

    def means(self, per_step: Mapping[str, Tensor], index: FlatIndex) -> dict[str, Tensor]:
        """The parts [R] of a block in the means of numbers [R, N] over the mini-batch's steps."""
        rows = torch.stack(tuple(per_step.values()))
        sums = (rows if index.full else torch.where(index.valid, rows, 0.0)).sum(2)
        return dict(zip(per_step, (sums / self.counts).unbind(), strict=True))

    def mean_gradient(self, slopes: Tensor, index: FlatIndex) -> Tensor:
        """The gradient [R, N, K] of the mean over the mini-batch's steps, from that of each step's number."""
        return index.without_padding(slopes) / self.counts[:, None, None]
