"""A2C: one gradient step per batch, for policy and V(s)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Le
from torch import Tensor

from pg_experiments.algorithm.actor_critic import ActorCritic, Settings
from pg_experiments.algorithm.agent import Choices
from pg_experiments.algorithm.checks import refuse_without_values
from pg_experiments.algorithm.surrogate import Surrogate
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners


class PolicyGradient:
    """−A log π(a | s): the policy gradient, as a mean over steps (Mnih et al. 2016, algorithm S3)."""

    metrics: tuple[Metric, ...] = ()
    uses_old_log_probs = False

    def surrogate(self, log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor) -> Surrogate:
        """As `Objective.surrogate`."""
        return Surrogate(-advantages * log_probs, -advantages, {})


@dataclass(frozen=True)
class A2C:
    """Advantage actor-critic (Mnih et al. 2016, without asynchrony): one gradient step per batch."""

    is_actor_critic: ClassVar[bool] = True
    learns_from_whole_batches: ClassVar[bool] = True
    has_episode_gradients: ClassVar[bool] = True
    discount: Annotated[float, Ge(0), Le(1)]
    entropy_bonus: Annotated[float, Ge(0)]

    def validate(self, config: Any) -> None:
        """Raises UserError where another option does not fit an actor-critic."""
        refuse_without_values("a2c", config)

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> ActorCritic:
        """As `AlgorithmOption.build`."""
        settings = Settings(self.discount, self.entropy_bonus)
        return ActorCritic(settings, PolicyGradient(), choices, observations, actions, learners, device)
