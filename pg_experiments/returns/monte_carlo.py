"""Returns of whole episodes: sums of the rewards that were received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pg_experiments.returns.recursion import discount_weights, lambda_returns, rewards_of, steps_since_start
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout


def reward_to_go(rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
    """[T, R, E]: the discounted sum of rewards from each step on, G_t = r_t + γ G_{t+1}. Arguments as in `Returns`."""
    returns = lambda_returns(rewards_of(rollout), rollout.ends, rollout.cuts, next_values, discount[:, None])
    return torch.where(rollout.mask, returns, 0.0)


@dataclass(frozen=True)
class RewardToGo:
    """Credits an action with the discounted rewards that follow it.

    For γ = 1, or with `exact_discount`, the expected gradient equals that of the whole return, with less variance. The
    common form Σ_k γ^(k−t) r_k without the factor γ^t weighs late steps like early ones, and is not the gradient of any
    objective (Nota & Thomas 2020).
    """

    uses_values: ClassVar[bool] = False
    exact_discount: bool

    def build(self, learners: Learners) -> RewardToGo:
        """Itself, as learners do not differ."""
        return self

    def __call__(self, rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
        return reward_to_go(rollout, next_values, discount)

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        if not self.exact_discount:
            return advantages
        return advantages * discount_weights(rollout, discount).to(advantages.dtype)


@dataclass(frozen=True)
class Trajectory:
    """Credits every action of an episode with the whole discounted return R(τ) = Σ_k γ^k r_k, which is unbiased."""

    uses_values: ClassVar[bool] = False
    exact_discount: bool  # has no effect, as the return is exact; allows both options in one sweep

    def validate(self, config: Any) -> None:
        """Raises UserError for pieces of episodes, and where centring makes all advantages 0."""
        if not config.collect.whole_returns:
            raise UserError(
                "returns=trajectory with collect=steps: a batch has pieces of episodes, whose whole return is not "
                "known; the nearest is returns=gae"
            )
        columns = config.collect.episodes_per_batch
        centred_by = config.normalization.centres(columns)
        if centred_by is None and columns == 1 and config.baseline.is_mean_of_batch:
            centred_by = "baseline=mean and collect.episodes=1"
        if centred_by is not None:
            raise UserError(
                f"returns=trajectory with {centred_by}: all steps of an episode have the same return, and nothing is "
                "left to learn from; use normalization=none, or normalization=advantages with several episodes per "
                "update"
            )

    def build(self, learners: Learners) -> Trajectory:
        """Itself, as learners do not differ."""
        return self

    def __call__(self, rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
        whole = reward_to_go(rollout, next_values, discount)
        begins = steps_since_start(rollout.ends | rollout.cuts) == 0
        for t in range(1, len(whole)):
            whole[t] = torch.where(begins[t], whole[t], whole[t - 1])
        return torch.where(rollout.mask, whole, 0.0)

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        return advantages
