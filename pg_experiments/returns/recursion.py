"""The recursion with which every return is computed. Time is the first axis: `[T, *batch]`."""

from __future__ import annotations

import torch
from torch import Tensor

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
    return _backward_sums(constants, weights)


def _backward_sums(constants: Tensor, weights: Tensor) -> Tensor:
    """G_t = c_t + w_t G_{t+1}, with G_T = 0, for [T, *batch].

    After k rounds G_t has the terms of 2^k steps from t on, and `weights` has the products of as many weights. 500
    steps take 9 rounds, and a fifteenth of the time of a loop over steps. Terms after a weight of 0 change no bit if
    they are finite.
    """
    returns, weights = constants.clone(), weights[:-1]
    span = 1
    while span < len(returns):
        returns[:-span] = torch.addcmul(returns[:-span], weights, returns[span:])
        weights = weights[:-span] * weights[span:]
        span *= 2
    return returns


def n_step_returns(
    rewards: Tensor, ends: Tensor, cuts: Tensor, next_values: Tensor | None, discount: Tensor | float, n: int
) -> Tensor:
    """n-step returns, over a sliding window: G_t = r_t + … + γ^{n−1} r_{t+n−1} + γ^n v_{t+n}.

    Sutton & Barto 2018, eq. 7.1. A window stops early where its return ends (without a value), or where the data is cut
    (with the value of the state after the cut). Arguments as in `lambda_returns`. Takes n steps of [T, *batch].
    """
    discount = torch.as_tensor(discount, dtype=rewards.dtype, device=rewards.device)
    continues = torch.where(ends, 0.0, discount)
    if next_values is None:
        next_values = torch.zeros_like(rewards)
    tails = continues * torch.where(continues == 0, 0.0, next_values)  # γ v_{t+1}, where a window stops after step t
    returns = rewards + tails
    for _ in range(n - 1):
        later = torch.cat([returns[1:], torch.zeros_like(returns[:1])])
        goes_on = ~(ends | cuts)
        returns = rewards + torch.where(goes_on, continues * torch.where(goes_on, later, 0.0), tails)
    return returns


def steps_since_start(restarts: Tensor) -> Tensor:
    """The index of each step within its return, [T, *batch] int64.

    Args:
        restarts: [T, *batch] bool: the next step is the first of another return.
    """
    steps = torch.arange(len(restarts), device=restarts.device).view(-1, *(1 for _ in restarts.shape[1:]))
    after = torch.cat([torch.zeros_like(restarts[:1]), restarts[:-1]])
    return steps - torch.where(after, steps, 0).cummax(0).values


def rewards_of(rollout: Rollout) -> Tensor:
    """[T, R, E]: the rewards, 0 where there is no step."""
    return torch.where(rollout.mask, rollout.rewards, 0.0)


def discount_weights(rollout: Rollout, discount: Tensor) -> Tensor:
    """[T, R, E] float64 γ^t: the weight of step t in the gradient of the discounted objective (Thomas 2014)."""
    return discount.double()[:, None] ** steps_since_start(rollout.ends | rollout.cuts)
