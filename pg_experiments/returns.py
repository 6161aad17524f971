"""The group `returns`: the return of each step, before the baseline is subtracted.

Time is the first axis: `[T, *batch]`. All returns are computed with the same recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pg_experiments.support.errors import UserError
from pg_experiments.tensors.recursion import backward_recursion
from pg_experiments.tensors.rollout import Rollout


def lambda_returns(
    rewards: Tensor,
    ends: Tensor,
    cuts: Tensor,
    next_values: Tensor | None,
    discount: Tensor | float,
    trace_decay: Tensor | float = 1.0,
) -> Tensor:
    """λ-returns: G_t = r_t + γ (1 − e_t) [(1 − λ) v_{t+1} + λ G_{t+1}], with G_{t+1} := v_{t+1} at cuts.

    Sutton & Barto 2018, eq. 12.20. With λ = 1 it is the discounted sum of rewards (eq. 3.9), with λ = 0 the one-step
    target of temporal-difference learning.

    Args:
        rewards: [T, *batch], 0 where there is no step.
        ends: [T, *batch] bool e_t: the return ends with this step; later values are ignored.
        cuts: [T, *batch] bool: the data ends after this step, but the return does not.
        next_values: [T, *batch] v_{t+1}, the value of the state after each step; None for 0 everywhere.
        discount: γ, 0 to 1; broadcastable to [*batch].
        trace_decay: λ, 0 to 1; broadcastable to [*batch].

    Returns:
        [T, *batch].
    """
    discount = torch.as_tensor(discount, dtype=rewards.dtype, device=rewards.device)
    continues = torch.where(ends, 0.0, discount)
    trace_decay = torch.as_tensor(trace_decay, dtype=rewards.dtype, device=rewards.device)
    weights = torch.where(cuts, 0.0, continues * trace_decay)
    constants = rewards
    if next_values is not None:
        bootstrap = continues - weights
        constants = rewards + bootstrap * torch.where(bootstrap == 0, 0.0, next_values)
    return backward_recursion(constants, weights)


def steps_since_start(restarts: Tensor) -> Tensor:
    """The index of each step within its return, [T, *batch] int64.

    Args:
        restarts: [T, *batch] bool: the next step is the first of another return.
    """
    steps = torch.arange(len(restarts), device=restarts.device).view(-1, *(1 for _ in restarts.shape[1:]))
    after = torch.cat([torch.zeros_like(restarts[:1]), restarts[:-1]])
    return steps - torch.where(after, steps, 0).cummax(0).values


class Returns(Protocol):
    """An option of the group `returns`."""

    def __call__(self, rollout: Rollout, values: Tensor | None, next_values: Tensor | None, discount: Tensor) -> Tensor:
        """Computes the return of each step.

        Args:
            rollout: the batch.
            values: [T, R, E] V(s_t); None where the baseline does not estimate state values.
            next_values: [T, R, E] V(s_{t+1}); None for 0.
            discount: [R] γ.

        Returns:
            [T, R, E], 0 where there is no step.
        """

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        """Multiplies the advantage of each step by the step's weight, [T, R, E] -> [T, R, E]."""


def reward_to_go(rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
    """[T, R, E]: the discounted sum of rewards from each step on, G_t = r_t + γ G_{t+1}. Arguments as in `Returns`."""
    rewards = torch.where(rollout.mask, rollout.rewards, 0.0)
    returns = lambda_returns(rewards, rollout.ends, rollout.cuts, next_values, discount[:, None])
    return torch.where(rollout.mask, returns, 0.0)


def discount_weights(rollout: Rollout, discount: Tensor) -> Tensor:
    """[T, R, E] float64 γ^t: the weight of step t in the gradient of the discounted objective (Thomas 2014)."""
    return discount.double()[:, None] ** steps_since_start(rollout.ends | rollout.cuts)


@dataclass(frozen=True)
class RewardToGo:
    """Credits an action with the discounted rewards that follow it.

    For γ = 1, or with `exact_discount`, the expected gradient equals that of the whole return, with less variance. The
    common form Σ_k γ^(k−t) r_k without the factor γ^t weighs late steps like early ones, and is not the gradient of any
    objective (Nota & Thomas 2020).
    """

    exact_discount: bool

    def __call__(self, rollout: Rollout, values: Tensor | None, next_values: Tensor | None, discount: Tensor) -> Tensor:
        return reward_to_go(rollout, next_values, discount)

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        if not self.exact_discount:
            return advantages
        return advantages * discount_weights(rollout, discount).to(advantages.dtype)


@dataclass(frozen=True)
class Trajectory:
    """Credits every action of an episode with the whole discounted return R(τ) = Σ_k γ^k r_k, which is unbiased."""

    exact_discount: bool  # has no effect, as the return is exact; allows both options in one sweep

    def validate(self, config: Any) -> None:
        """Raises UserError where centring makes all advantages 0, as all steps of an episode have the same return."""
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

    def __call__(self, rollout: Rollout, values: Tensor | None, next_values: Tensor | None, discount: Tensor) -> Tensor:
        whole = reward_to_go(rollout, next_values, discount)
        begins = steps_since_start(rollout.ends | rollout.cuts) == 0
        for t in range(1, len(whole)):
            whole[t] = torch.where(begins[t], whole[t], whole[t - 1])
        return torch.where(rollout.mask, whole, 0.0)

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        return advantages


OPTIONS: dict[str, type] = {"reward_to_go": RewardToGo, "trajectory": Trajectory}
