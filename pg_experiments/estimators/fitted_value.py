"""V(s) of a snapshot's policy, fitted to returns of episodes that no estimator sees."""

from __future__ import annotations

from collections.abc import Container, Sequence

import torch
from torch import Tensor

from pg_experiments.baseline import Baseline, EpisodeGradients, Learned, ValueBaseline
from pg_experiments.baseline.value import ValueOption
from pg_experiments.estimators.snapshot import CPU, Snapshot
from pg_experiments.returns.monte_carlo import reward_to_go
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseSteps
from pg_experiments.tensors.threads import one_thread

STEPS = 600  # gradient steps, each from one batch
STEPS_OF_IMAGES = 100
NETWORK = ValueOption(
    hidden=64, layers=2, activation="tanh", initialisation="orthogonal", learning_rate=0.003, steps=1, bootstrap=False
)
NETWORK_OF_IMAGES = ValueOption(
    hidden=64, layers=1, activation="relu", initialisation="torch", learning_rate=0.001, steps=1, bootstrap=False
)


class Scaled(Baseline):
    """V(s), where another baseline has learned V(s) / scale."""

    def __init__(self, divided: ValueBaseline, scale: float) -> None:
        super().__init__()
        self.divided, self.scale = divided, scale

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        return self.state_values(rollout)

    def state_values(self, rollout: Rollout) -> Tensor:
        return self.scale * self.divided.state_values(rollout)

    def next_values(self, rollout: Rollout, values: Tensor) -> Tensor:
        return self.scale * self.divided.next_values(rollout, values / self.scale)

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        return self.divided.learn(rollout, returns / self.scale, skip)


def fitted_value(snapshot: Snapshot, batches: Sequence[Rollout], discount: float) -> Scaled:
    """Fits V(s) to the rewards-to-go of batches [T, 1, E], by Adam and least squares.

    Returns are divided by their root mean square for the fit, so that one learning rate serves all environments.

    Raises:
        UserError: the fit has failed.
    """
    is_sparse = isinstance(batches[0].observations, SparseSteps)
    option = snapshot.config.normalization.of_baseline(NETWORK_OF_IMAGES if is_sparse else NETWORK)
    learners = Learners([snapshot.seed])
    built = option.build(snapshot.config.env.spaces()[0], snapshot.agent.policy.network, learners, CPU)
    assert isinstance(built, ValueBaseline)
    gamma = torch.tensor([discount], dtype=torch.float64)
    targets = [reward_to_go(batch, None, gamma) for batch in batches]
    numbers = torch.cat([each[batch.mask] for batch, each in zip(batches, targets, strict=True)])
    value = Scaled(built, float(numbers.square().mean().sqrt()) or 1.0)
    with one_thread(not is_sparse):
        for step in range(STEPS_OF_IMAGES if is_sparse else STEPS):
            batch = step % len(batches)
            _, broken = value.learn(batches[batch], targets[batch], skip=())
            if broken:
                raise UserError(f"V(s) of seed={snapshot.seed}: its fit has failed ({broken[0]} is not finite)")
    return value
