"""Networks whose outputs depend on the statistics of a batch: evaluation while learning, and running statistics.

Such a network is a function of one step while acting and in evaluation, with running statistics, which do not change
within a batch. While learning it is a function of all steps of a batch (or mini-batch) of a learner, which are
therefore evaluated together and not in blocks.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from pg_experiments.tensors.networks import BoundNetwork, Network, Observations, Pullback
from pg_experiments.tensors.rollout import FlatIndex, Rollout


class WholeBatch(NamedTuple):
    """All steps of a batch, or of a mini-batch, of each learner."""

    observations: Observations  # [R, N, *shape]
    noise: Tensor | None  # [R, N, *noise_shape], as while acting
    valid: Tensor  # [R, N] bool: False for padding, which is in no statistic
    block: int  # N is a multiple; sums go block by block, so that the padding after the last step changes no bit

    @classmethod
    def of(cls, rollout: Rollout, index: FlatIndex) -> WholeBatch:
        """The steps of an index of a rollout."""
        masks = rollout.dropout_masks
        noise = None if masks is None else index.gather(masks).float()  # multiplying by booleans takes longer
        block = index.valid.shape[1] if index.full else index.block
        return cls(index.gather(rollout.observations), noise, index.valid, block)


class OfBatch(NamedTuple):
    """What a network computes from a batch with the batch's own statistics."""

    outputs: Tensor  # [R, N, K] with their graph, which goes through the statistics
    means: Tensor  # [R, L, H] of the units before each normalisation, over the valid steps
    variances: Tensor  # [R, L, H] of the population


@runtime_checkable
class NormalizesByBatch(Protocol):
    """A bound network that can use the statistics of a batch."""

    def of_batch(self, batch: WholeBatch) -> OfBatch:
        """Outputs of a batch with its own statistics."""


@runtime_checkable
class WithRunningStatistics(Protocol):
    """A network that uses running statistics while acting; its bound form is `NormalizesByBatch`."""

    def merge(self, learners: Tensor, means: Tensor, variances: Tensor, counts: Tensor) -> None:
        """Merges the statistics of a batch into the running ones.

        Args:
            learners: [r] indices of the learners whose statistics change.
            means, variances: [r, L, H] as in `OfBatch`.
            counts: [r] steps of each.
        """


def with_running_statistics(network: object) -> WithRunningStatistics | None:
    """The network with running statistics, inside of wrappers; None where there is none."""
    while not isinstance(network, WithRunningStatistics):
        if not hasattr(network, "network"):
            return None
        network = network.network
    return network


def of_batch(network: BoundNetwork, batch: WholeBatch) -> OfBatch:
    """As `NormalizesByBatch.of_batch`, of a network in which `with_running_statistics` finds one."""
    return cast(NormalizesByBatch, network).of_batch(batch)


def in_blocks(outputs: Tensor, block: int) -> Iterator[tuple[Tensor, Pullback]]:
    """Yields outputs [R, N, K] block by block, each with its pull-back.

    The gradient goes back through the common graph when each block has got its own, in order.
    """
    blocks = outputs.detach().split(block, 1)
    gradients: list[Tensor] = []

    def pull_back(gradient: Tensor) -> None:
        gradients.append(gradient)
        if len(gradients) == len(blocks):
            torch.autograd.backward(outputs, torch.cat(gradients, 1))

    for each in blocks:
        yield each, pull_back


@torch.no_grad()
def merge_statistics(network: Network, rollout: Rollout, broken: Container[int]) -> None:
    """Merges the statistics of a batch, from which has been learned, into the running ones.

    They are those of the new parameters, with which the next batch is played.

    Args:
        network: a policy's network in which `with_running_statistics` finds one.
        rollout: the batch.
        broken: indices of learners whose statistics must not change.
    """
    normalized = with_running_statistics(network)
    assert normalized is not None, "checked by the run"
    batch = WholeBatch.of(rollout, rollout.flat)
    found = of_batch(network.bind(rollout.learners), batch)
    kept = [place for place, learner in enumerate(rollout.learners.tolist()) if learner not in broken]
    counts = batch.valid.sum(1)
    normalized.merge(rollout.learners[kept], found.means[kept], found.variances[kept], counts[kept])
