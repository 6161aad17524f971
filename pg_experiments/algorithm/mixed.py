"""Pathwise and score-function gradients of the same episodes, weighted by their variances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from pg_experiments.algorithm.agent import Choices
from pg_experiments.algorithm.pathwise import PathwiseAgent, refuse_normalised_returns
from pg_experiments.algorithm.pathwise_gradients import returns_in_graph
from pg_experiments.algorithm.reinforce import PolicyLoss, ReinforceAgent
from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.support.errors import UserError
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout

PATHWISE_WEIGHT = Metric("pathwise_weight", "", "gradients/pathwise_weight")


def pathwise_weight(pathwise: Tensor, score: Tensor, confidence: float) -> Tensor:
    """α of the gradient α ḡ_path + (1 − α) ḡ_score, the α-order gradient of Suh et al. 2022 (arXiv 2202.00817), [R].

    By inverse variance it is α∞ = σ²_score / (σ²_score + σ²_path), where σ² is the variance of a mean over E episodes,
    the trace of the covariance of one episode's gradient divided by E. The bias of the mixture is at most
    α ‖E ḡ_path − E ḡ_score‖, as the score-function gradient has none. So that it stays within the error
    ε = z σ_score that the score-function gradient has by itself (the paper's γ = 2 ε),

        α = min(α∞, ε / ‖ḡ_path − ḡ_score‖).

    It is 0 where a pathwise gradient is not finite, or both have no variance.

    Args:
        pathwise: [R, E, P] pathwise gradient of each episode.
        score: [R, E, P] score-function gradient of each episode.
        confidence: z.
    """
    of_path, of_score = (gradients.var(1).sum(1) / gradients.shape[1] for gradients in (pathwise, score))
    by_variance = of_score / (of_score + of_path)
    distance = torch.linalg.vector_norm(pathwise.mean(1) - score.mean(1), dim=1)
    weight = torch.minimum(by_variance, confidence * of_score.sqrt() / distance)
    return torch.where(weight.isfinite(), weight, 0.0)


def mixture(pathwise: Tensor, score: Tensor, weight: Tensor) -> Tensor:
    """α g_path + (1 − α) g_score of each episode, [R, E, P] with α [R]; g_score alone where α is 0."""
    weight = weight[:, None, None]
    return torch.where(weight > 0, torch.lerp(score, pathwise, weight), score)


@dataclass(frozen=True)
class Mixed:
    """One gradient step per batch of whole episodes, along a mixture of both gradients."""

    differentiates_environment: ClassVar[bool] = True
    has_episode_gradients: ClassVar[bool] = True
    discount: Annotated[float, Ge(0), Le(1)]
    confidence: Annotated[float, Gt(0)]

    def validate(self, config: Any) -> None:
        """Raises UserError where both gradients are not of the same objective, or have no variance."""
        refuse_normalised_returns("mixed", config)
        episodes = config.collect.episodes_per_batch
        if episodes is None:
            raise UserError("algorithm=mixed: compares gradients of whole episodes; the nearest is collect=episodes")
        if episodes < 2:
            raise UserError(
                f"collect.episodes={episodes}: algorithm=mixed estimates the variance over episodes; the nearest is 2"
            )
        if config.returns.uses_values:
            raise UserError(
                "algorithm=mixed: needs a score-function gradient without bias to compare with; the nearest is "
                "returns=reward_to_go"
            )
        if self.discount < 1 and not config.returns.exact_discount:
            raise UserError(
                f"algorithm.discount={self.discount}: without the factor γ^t both gradients are of different "
                "objectives; use returns.exact_discount=true, or the nearest is 1"
            )

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> MixedAgent:
        """As `AlgorithmOption.build`."""
        return MixedAgent(self, choices, observations, actions, learners, device)


class MixedAgent(PathwiseAgent):
    """R learners whose gradient is a mixture."""

    metrics = (*ReinforceAgent.metrics, PATHWISE_WEIGHT)

    def __init__(
        self,
        settings: Mixed,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> None:
        """As `PathwiseAgent`."""
        super().__init__("mixed", settings.discount, choices, observations, actions, learners, device)
        self.confidence = settings.confidence
        self.weight = torch.zeros(0)  # [R] of the last batch

    def losses(self, rollout: Rollout, advantages: Tensor) -> Iterator[PolicyLoss]:
        """Yields the negative mean return, with the mixture as its derivative."""
        pathwise = self.pathwise_gradients(rollout)
        score = episode_gradients(self.policy, rollout, advantages)
        self.weight = pathwise_weight(pathwise, score, self.confidence)
        gradient = mixture(pathwise, score, self.weight).mean(1)
        returns = returns_in_graph(rollout, self.discount[rollout.learners], self.values_in_graph(rollout)).detach()
        parameters = torch.cat([p.flatten(1) for p in self.policy.parameters()], 1)[rollout.learners]
        linear = (gradient * parameters).sum(1)
        yield PolicyLoss(linear.detach() - linear - returns.mean(1), self.entropy(rollout))

    def sample_gradients(self, rollout: Rollout) -> Iterator[Tensor]:
        """As `HasEpisodeGradients.sample_gradients`, with the weight of the whole batch."""
        pathwise = self.pathwise_gradients(rollout)
        score = episode_gradients(self.policy, rollout, self.credit(rollout).advantages)
        yield mixture(pathwise, score, pathwise_weight(pathwise, score, self.confidence))

    def _improve_policy(
        self, rollout: Rollout, advantages: Tensor, progress: Tensor
    ) -> tuple[dict[str, Tensor], dict[int, str]]:
        metrics, broken = super()._improve_policy(rollout, advantages, progress)
        return metrics | {"pathwise_weight": self.weight}, broken
