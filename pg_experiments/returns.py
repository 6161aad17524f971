"""From rewards to returns: what each action is credited with before any baseline.

Time is the first axis and everything behind it is a batch, `[T, *batch]`; a column is one episode that starts
at its first row. What `mask` hides counts nowhere, whatever it holds. Where `ends` says so, a return ends inside of
the column and the next one begins with the next row: in Pong with each point, while the game goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


def reward_to_go(
    rewards: Tensor, mask: Tensor, discount: float, bootstrap: Tensor | None = None, ends: Tensor | None = None
) -> Tensor:
    """Discounted sum of the rewards from each step on: G_t = r_t + γ G_{t+1}  (Sutton & Barto 2018, eq. 3.9).

    Args:
        rewards: [T, *batch].
        mask: [T, *batch] bool, True where a step was played; True places of a column come first.
        discount: γ, 0 to 1.
        bootstrap: [*batch] value of the state that follows the last step: V(s) after a truncation, 0 after a
            termination. None is 0 everywhere. It is not added where a return ends with the last step.
        ends: [T, *batch] bool, True on the last step of each return; None where a column is a single one.

    Returns:
        [T, *batch], 0 where the mask is False.
    """
    rewards = torch.where(mask, rewards, 0.0)
    if bootstrap is not None:
        after = torch.cat([mask[1:], torch.zeros_like(mask[:1])])
        cut_off = mask & ~after if ends is None else mask & ~after & ~ends
        rewards = torch.where(cut_off, rewards + discount * bootstrap, rewards)
    returns = torch.empty_like(rewards)
    running = torch.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        if ends is not None:
            running = running.masked_fill(ends[t], 0.0)
        running = torch.add(rewards[t], running, alpha=discount, out=returns[t])
    return returns


def trajectory_return(
    rewards: Tensor, mask: Tensor, discount: float, bootstrap: Tensor | None = None, ends: Tensor | None = None
) -> Tensor:
    """The whole return R(τ) = Σ_k γ^k r_k at every step that it is the return of. Arguments as in `reward_to_go`."""
    whole = reward_to_go(rewards, mask, discount, bootstrap, ends)
    begins = steps_since_start(mask, ends) == 0
    for t in range(1, len(whole)):
        whole[t] = torch.where(begins[t], whole[t], whole[t - 1])
    return torch.where(mask, whole, 0.0)


def steps_since_start(mask: Tensor, ends: Tensor | None) -> Tensor:
    """[T, *batch] int64: how many steps of the same return came before each step."""
    steps = torch.arange(len(mask), device=mask.device).view(-1, *(1 for _ in mask.shape[1:])).expand(mask.shape)
    if ends is None:
        return steps
    after_end = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])
    return steps - torch.where(after_end, steps, 0).cummax(0).values


def discount_weights(mask: Tensor, discount: float, ends: Tensor | None = None) -> Tensor:
    """[T, *batch] γ^t: the factor on step t that the gradient of the discounted objective has (Thomas 2014)."""
    return discount ** steps_since_start(mask, ends).double()


class Returns(Protocol):
    """What an option of the group `returns` offers."""

    def __call__(
        self,
        rewards: Tensor,
        mask: Tensor,
        discount: float,
        bootstrap: Tensor | None = None,
        ends: Tensor | None = None,
    ) -> Tensor: ...

    def weigh(self, advantages: Tensor, mask: Tensor, discount: float, ends: Tensor | None = None) -> Tensor:
        """Put the weight of each step on its advantage, [T, *batch] -> [T, *batch]."""


@dataclass(frozen=True)
class RewardToGo:
    """Credit an action with what came after it. Same mean as the whole return, less variance.

    That holds for γ = 1, or with `exact_discount`. As it is commonly written, Σ_k γ^(k−t) r_k without the factor
    γ^t, it weighs late steps like early ones and is the gradient of no objective (Nota & Thomas 2020).
    """

    exact_discount: bool

    def __call__(
        self,
        rewards: Tensor,
        mask: Tensor,
        discount: float,
        bootstrap: Tensor | None = None,
        ends: Tensor | None = None,
    ) -> Tensor:
        return reward_to_go(rewards, mask, discount, bootstrap, ends)

    def weigh(self, advantages: Tensor, mask: Tensor, discount: float, ends: Tensor | None = None) -> Tensor:
        if not self.exact_discount:
            return advantages
        return advantages * discount_weights(mask, discount, ends).to(advantages.dtype)


@dataclass(frozen=True)
class Trajectory:
    """Credit every action of an episode with the whole discounted return. Unbiased as it is."""

    exact_discount: bool  # the whole return already is exact; the key lets both options share one sweep

    def __call__(
        self,
        rewards: Tensor,
        mask: Tensor,
        discount: float,
        bootstrap: Tensor | None = None,
        ends: Tensor | None = None,
    ) -> Tensor:
        return trajectory_return(rewards, mask, discount, bootstrap, ends)

    def weigh(self, advantages: Tensor, mask: Tensor, discount: float, ends: Tensor | None = None) -> Tensor:
        return advantages


OPTIONS: dict[str, type] = {"reward_to_go": RewardToGo, "trajectory": Trajectory}
