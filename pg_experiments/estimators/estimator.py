"""Estimators of the policy gradient from a batch of episodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from pg_experiments.algorithm.credit import assign_credit
from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.baseline import Baseline
from pg_experiments.normalization import Normalization
from pg_experiments.returns import Returns
from pg_experiments.tensors.rollout import Rollout


@dataclass(frozen=True)
class Description:
    """What an estimator is called, and what it is made of.

    Attributes:
        name: unique among the estimators, and short enough for a label.
        returns: what an action is credited with.
        discount: γ of the returns.
        baseline: what is subtracted; empty for nothing.
        normalization: what is normalised; empty for nothing.
        is_unbiased: whether its mean is the gradient of the expected undiscounted return.
    """

    name: str
    returns: str
    discount: float
    baseline: str = ""
    normalization: str = ""
    is_unbiased: bool = False


class Estimator(Protocol):
    """An estimator: a description, and a function from a batch to its gradient."""

    @property
    def description(self) -> Description: ...

    def gradient(self, agent: ReinforceAgent, rollout: Rollout) -> Tensor:
        """The estimate [P] from a batch [T, 1, E] of whole episodes, as a mean over episodes.

        P numbers of the policy's parameters, each flattened, in the order of `agent.policy.parameters()`.
        """


@dataclass(frozen=True)
class LikelihoodRatio:
    """Advantages times ∇ log π(a | s), summed over time (Williams 1992)."""

    description: Description
    returns: Returns
    baseline: Baseline
    normalization: Normalization

    def gradient(self, agent: ReinforceAgent, rollout: Rollout) -> Tensor:
        """As `Estimator.gradient`. Advantages are those that training would compute."""
        discount = torch.tensor([self.description.discount], dtype=torch.float64)
        per_episode = partial(self._per_episode, agent, rollout, discount)
        credit = assign_credit(rollout, self.returns, self.baseline, self.normalization, discount, per_episode)
        return mean_gradient(agent, rollout, credit.advantages)

    def _per_episode(self, agent: ReinforceAgent, rollout: Rollout, discount: Tensor, advantages: Tensor) -> Tensor:
        """As `EpisodeGradients`."""
        return episode_gradients(agent.policy, rollout, self.returns.weigh(advantages, rollout, discount))


def mean_gradient(agent: ReinforceAgent, rollout: Rollout, advantages: Tensor) -> Tensor:
    """Σ_t A_t ∇ log π(a_t | s_t) as a mean over the episodes of a batch, [P]; advantages are [T, 1, E]."""
    parameters = list(agent.policy.parameters())
    total = torch.zeros(sum(parameter.numel() for parameter in parameters), dtype=parameters[0].dtype)
    for part in agent.losses(rollout, advantages):
        found = torch.autograd.grad(part.loss.sum(), parameters)
        total -= torch.cat([gradient.flatten() for gradient in found])
    return total
