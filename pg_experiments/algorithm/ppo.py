"""PPO: several epochs of mini-batches per batch, with a clipped objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from pg_experiments.algorithm.actor_critic import ActorCritic, Settings
from pg_experiments.algorithm.agent import Choices
from pg_experiments.algorithm.checks import refuse_uneven_minibatches, refuse_without_values
from pg_experiments.algorithm.surrogate import Surrogate
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners


@dataclass(frozen=True)
class ClippedObjective:
    """−min(ρ A, clip(ρ, 1 − ε, 1 + ε) A), ρ = π(a | s) / π_old(a | s) (Schulman et al. 2017, eq. 7).

    The approximate KL divergence is the mean of ρ − 1 − log ρ, which is unbiased and never negative (Schulman 2020).
    """

    metrics = (Metric("approx_kl", "nats", "losses/approx_kl"), Metric("clipfrac", "", "losses/clipfrac"))
    uses_old_log_probs = True

    clip_range: float | None  # ε; None: no clipping

    def surrogate(self, log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor) -> Surrogate:
        """As `Objective.surrogate`. The slope is −A ρ, as dρ / d log π = ρ; 0 where the clipped term is larger."""
        log_ratio = log_probs - old_log_probs
        ratio = log_ratio.exp()
        change = ratio - 1
        losses = slopes = -advantages * ratio
        is_clipped = torch.zeros_like(ratio)
        if self.clip_range is not None:
            clipped = -advantages * ratio.clamp(1 - self.clip_range, 1 + self.clip_range)
            losses, slopes = torch.maximum(losses, clipped), torch.where(clipped > losses, 0.0, losses)
            is_clipped = (change.abs() > self.clip_range).to(ratio.dtype)
        return Surrogate(losses, slopes, {"approx_kl": change - log_ratio, "clipfrac": is_clipped})


@dataclass(frozen=True)
class PPO:
    """Proximal policy optimisation (Schulman et al. 2017)."""

    is_actor_critic: ClassVar[bool] = True
    has_minibatches: ClassVar[bool] = True
    learns_from_whole_batches: ClassVar[bool] = True
    has_episode_gradients: ClassVar[bool] = True
    discount: Annotated[float, Ge(0), Le(1)]
    entropy_bonus: Annotated[float, Ge(0)]
    clip_range: Annotated[float, Gt(0)] | None
    epochs: Annotated[int, Ge(1)]
    num_minibatches: Annotated[int, Ge(1)]
    target_kl: Annotated[float, Gt(0)] | None

    def validate(self, config: Any) -> None:
        """Raises UserError where another option does not fit, or the steps cannot be divided into mini-batches."""
        refuse_without_values("ppo", config)
        refuse_uneven_minibatches(self.num_minibatches, config)

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> ActorCritic:
        """As `AlgorithmOption.build`."""
        settings = Settings(self.discount, self.entropy_bonus, self.epochs, self.num_minibatches, self.target_kl)
        objective = ClippedObjective(self.clip_range)
        return ActorCritic(settings, objective, choices, observations, actions, learners, device)
