"""The constant baseline with the least variance of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import torch
from torch import Tensor

from pg_experiments.baseline.base import Baseline, EpisodeGradients
from pg_experiments.baseline.batch import require_other_episodes
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.masked import sum_of_others
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import Rollout


def variance_terms(returns: Tensor, gradients: EpisodeGradients) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of the optimal constant, for each episode.

    With a constant b, an episode's gradient is g(b) = A − b B, where A = Σ_t w_t G_t ∇ log π(a_t | s_t) and
    B = Σ_t w_t ∇ log π(a_t | s_t). As E[B] = 0, the mean of g(b) does not depend on b, and the trace of its covariance
    is E‖A − b B‖² up to a constant. It is least at b* = E⟨A, B⟩ / E‖B‖² (Greensmith, Bartlett & Baxter 2004; Peters &
    Schaal 2008, who give each parameter a constant of its own).

    Args:
        returns: [T, R, E] G_t.
        gradients: the gradient of each episode for given advantages.

    Returns:
        ⟨A, B⟩ and ‖B‖², [R, E] float64 each.
    """
    with_returns, scores = gradients(returns).double(), gradients(torch.ones_like(returns)).double()
    return (with_returns * scores).sum(2), scores.square().sum(2)


class OptimalBaseline(Baseline):
    """For each episode, the constant of least variance, estimated from the batch's other episodes.

    b_e = Σ_{i≠e} ⟨A_i, B_i⟩ / Σ_{i≠e} ‖B_i‖², with A and B as in `variance_terms`; 0 where all scores of the other
    episodes are 0. An episode has no part in its own baseline, so the gradient stays unbiased. An entropy bonus and
    normalised advantages, which change the gradient, are not taken into account.
    """

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        products, squares = (sum_of_others(terms) for terms in variance_terms(returns, gradients))
        return torch.where(squares > 0, products / squares, 0.0).to(returns.dtype)


@dataclass(frozen=True)
class OptimalOption:
    """The constant with the least variance of the gradient, estimated from the batch's other episodes."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = False
    needs_episode_gradients: ClassVar[bool] = True

    def validate(self, config: Any) -> None:
        """Raises UserError where a batch has no other episodes, or where a gradient per episode is too large."""
        if config.env.emulators is not None:
            raise UserError(
                f"baseline=optimal with {config.env.label}: keeps a gradient for each episode, which is too large for "
                "images; the nearest is baseline=mean"
            )
        require_other_episodes(config, "optimal")

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        return OptimalBaseline()
