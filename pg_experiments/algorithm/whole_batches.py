"""Policies whose outputs depend on all steps of a mini-batch, as those with batch normalisation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pg_experiments.algorithm.experience import MiniBatch, Steps
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.batch_statistics import WholeBatch, in_blocks, of_batch
from pg_experiments.tensors.networks import Pullback
from pg_experiments.tensors.rollout import FlatIndex, Rollout


def evaluated_blocks(policy: Policy, batch: MiniBatch) -> Iterator[tuple[Steps, tuple[Tensor, Pullback]]]:
    """Yields the blocks of a mini-batch, each with the policy's outputs [R, N, K] and their pull-back."""
    outputs = _outputs(policy, batch.experience.rollout, batch.index)
    yield from zip(batch.blocks(), in_blocks(outputs, batch.index.block), strict=True)


@torch.no_grad()
def old_log_probs(policy: Policy, rollout: Rollout, index: FlatIndex) -> Tensor:
    """[R, N]: log π(a | s) of the steps of a mini-batch, with its own statistics, before the update.

    While acting, the policy has running statistics, so that the ratio of new and old probabilities would not be 1
    before the first step. With the same statistics for both it is 1, and later measures the change of the parameters.
    """
    parts = zip(index.blocks(), _outputs(policy, rollout, index).split(index.block, 1), strict=True)
    rows = [
        policy.distribution(outputs, rollout.action_masks_at(block)).log_prob(block.gather(rollout.actions))
        for block, outputs in parts
    ]
    return torch.cat(rows, 1)


def _outputs(policy: Policy, rollout: Rollout, index: FlatIndex) -> Tensor:
    return of_batch(policy.bind(rollout.learners), WholeBatch.of(rollout, index)).outputs
