"""The pathwise estimator: derivatives of returns through a differentiable environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pg_experiments.algorithm.pathwise_gradients import pathwise_gradients
from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.env import DifferentiableEnv
from pg_experiments.estimators.estimator import Description
from pg_experiments.estimators.snapshot import Snapshot
from pg_experiments.tensors.batch_statistics import with_running_statistics
from pg_experiments.tensors.networks import state_size_of
from pg_experiments.tensors.rollout import Rollout

PATHWISE = "pathwise"
DESCRIPTION = Description(PATHWISE, "derivative", 1.0)  # biased where rewards jump, so that its bias is measured


@dataclass(frozen=True)
class Pathwise:
    """Derivatives of undiscounted returns by the parameters, through actions, states and rewards."""

    description: ClassVar[Description] = DESCRIPTION

    def gradient(self, agent: ReinforceAgent, rollout: Rollout) -> Tensor:
        """As `Estimator.gradient`, for a batch with its graph, which is kept."""
        discount = torch.tensor([self.description.discount], dtype=torch.float64)
        return pathwise_gradients(agent.policy, rollout, discount).mean(1)[0]


def why_not_pathwise(snapshot: Snapshot) -> str | None:
    """Why there is no pathwise gradient of a policy; None where there is one."""
    network = snapshot.agent.policy.network
    if not isinstance(snapshot.config.env, DifferentiableEnv):
        return f"{snapshot.config.env.label} is not differentiable"
    if snapshot.config.normalization.rewards != "none":
        return "rewards are normalised"
    if state_size_of(network) or with_running_statistics(network) is not None:
        return "the policy is recurrent or has batch normalisation"
    return None
