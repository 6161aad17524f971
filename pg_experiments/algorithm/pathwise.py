"""Pathwise gradients: backpropagation through a differentiable environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Le
from torch import Tensor

from pg_experiments.algorithm.agent import Choices
from pg_experiments.algorithm.pathwise_gradients import adjoints, pathwise_gradients
from pg_experiments.algorithm.reinforce import PolicyLoss, Reinforce, ReinforceAgent
from pg_experiments.baseline import ValueBaseline
from pg_experiments.baseline.base import NoBaselineOption
from pg_experiments.policy.gaussian_heads import GaussianHead
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import state_size_of
from pg_experiments.tensors.rollout import Rollout


@dataclass(frozen=True)
class Pathwise:
    """One gradient step per batch, of the returns themselves, as in SHAC (Xu et al. 2022, arXiv 2204.07137)."""

    differentiates_environment: ClassVar[bool] = True
    has_episode_gradients: ClassVar[bool] = True
    discount: Annotated[float, Ge(0), Le(1)]

    def validate(self, config: Any) -> None:
        """Raises UserError where another option has no effect on such gradients."""
        refuse_normalised_returns("pathwise", config)
        if not (config.baseline.estimates_values or isinstance(config.baseline, NoBaselineOption)):
            raise UserError(
                "algorithm=pathwise: differentiates rewards, from which no baseline is subtracted; use baseline=none, "
                "or baseline=value, which continues returns that are cut off"
            )

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> PathwiseAgent:
        """As `AlgorithmOption.build`."""
        return PathwiseAgent("pathwise", self.discount, choices, observations, actions, learners, device)


class PathwiseAgent(ReinforceAgent):
    """R learners with the loss −(Σ_t γ^t r_t + γ^h V(s_h)), a mean over columns.

    V(s) continues returns that are cut off, if it is used for targets (`returns=gae`) or to bootstrap. It is fitted to
    the same targets as REINFORCE's. While the policy learns, it is a constant function of the state s_h, which depends
    on the actions.
    """

    def __init__(
        self,
        name: str,
        discount: float,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> None:
        """Raises UserError for a policy whose actions cannot be differentiated. `name` is that of the algorithm."""
        settings = Reinforce("mean", discount, entropy_bonus=0.0, log_probs="recomputed")
        super().__init__(settings, choices, observations, actions, learners, device)
        if not isinstance(self.policy.head, GaussianHead):
            raise UserError(
                f"policy.head: algorithm={name} differentiates actions μ + σ ε; the nearest is policy.head=gaussian"
            )
        if state_size_of(self.policy.network):
            raise UserError(f"algorithm={name}: has no recurrent policies; the nearest is policy=mlp")
        self.keeps_graph = "environment"
        self.continues = choices.returns.uses_values or getattr(choices.baseline, "bootstrap", False)

    def losses(self, rollout: Rollout, advantages: Tensor) -> Iterator[PolicyLoss]:
        """Yields terms of the loss, which do not depend on the advantages."""
        returns, slopes = adjoints(rollout, self.discount[rollout.learners], self.values_in_graph(rollout))
        columns, network = returns.shape[1], self.policy.bind(rollout.learners)
        left = PolicyLoss(-returns.mean(1), self.entropy(rollout))
        for block in rollout.flat.blocks():
            outputs = self._outputs(network, block, rollout)
            linear = (block.gather(slopes) * outputs).sum((1, 2)) / columns
            yield PolicyLoss(left.loss + linear.detach() - linear, left.entropy)
            left = PolicyLoss(torch.zeros_like(left.loss), torch.zeros_like(left.entropy))

    def sample_gradients(self, rollout: Rollout) -> Iterator[Tensor]:
        """As `HasEpisodeGradients.sample_gradients`."""
        yield self.pathwise_gradients(rollout)

    def pathwise_gradients(self, rollout: Rollout) -> Tensor:
        """[R, E, P]: the pathwise gradient of each column."""
        discount = self.discount[rollout.learners]
        return pathwise_gradients(self.policy, rollout, discount, self.values_in_graph(rollout))

    def values_in_graph(self, rollout: Rollout) -> Tensor | None:
        """[T, R, E]: V of the state after each step at which the data is cut, with the graph; None where it is 0."""
        if not self.continues:
            return None
        assert isinstance(self.baseline, ValueBaseline), "checked by `validate`"
        assert rollout.graph is not None, "kept for this agent"
        observations = rollout.graph.following_at(rollout.finals.positions)
        return self.baseline.values_at_cuts(rollout, rollout.finals._replace(observations=observations))

    @torch.no_grad()
    def entropy(self, rollout: Rollout) -> Tensor:
        """[R]: the entropy of the policy in nats, summed over time and averaged over columns."""
        assert rollout.graph is not None, "kept for this agent"
        return self.policy.distribution(torch.stack(rollout.graph.outputs)).entropy.sum(0).mean(1)


def refuse_normalised_returns(name: str, config: Any) -> None:
    """Raises UserError where returns, rewards or advantages are normalised."""
    for key in ("returns", "advantages", "rewards"):
        if (value := getattr(config.normalization, key)) != "none":
            raise UserError(
                f"normalization.{key}={value}: algorithm={name} differentiates rewards as they are; the nearest is none"
            )
