"""Normalisation of the rewards that learning sees. Accounts of episodes have those of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from pg_experiments.normalization.moments import Moments
from pg_experiments.tensors.recursion import backward_recursion
from pg_experiments.tensors.rollout import Rollout

ROUNDING = 1e-12  # variance of equal returns, relative to their square


class RewardScale(Protocol):
    """What learning sees in place of the rewards."""

    def scaled(self, rollout: Rollout) -> Rollout:
        """The batch with other rewards. It becomes a part of the statistics, where there are any."""

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""


class PlainRewards:
    """The rewards of the environment. The base class of scales without a state."""

    def scaled(self, rollout: Rollout) -> Rollout:
        """The batch itself."""
        return rollout

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Does nothing."""


class ClippedRewards(PlainRewards):
    """Rewards limited to ±limit."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def scaled(self, rollout: Rollout) -> Rollout:
        """The batch with limited rewards."""
        return replace(rollout, rewards=rollout.rewards.clamp(-self.limit, self.limit))


class SignsOfRewards(PlainRewards):
    """−1, 0 or 1 (Mnih et al. 2015)."""

    def scaled(self, rollout: Rollout) -> Rollout:
        """The batch with the signs of its rewards."""
        return replace(rollout, rewards=rollout.rewards.sign())


class ScaledRewards:
    """Rewards divided by the standard deviation of the discounted sum of rewards so far (Engstrom et al. 2020).

    G_t = r_t + γ G_{t−1} along each column, beginning with 0 after each end. A batch's own sums are counted before its
    rewards are divided, all by the same number. Rewards are not centred, so their signs stay.
    """

    def __init__(self, learners: int, columns: int | None, discount: Tensor, limit: float) -> None:
        """Without a batch.

        Args:
            learners: R.
            columns: E where a column continues in the next batch; None where each batch begins with new episodes.
            discount: [R] γ.
            limit: largest absolute value of a reward after division.
        """
        self.moments = Moments(learners).to(discount.device)
        self.sums = None if columns is None else torch.zeros(learners, columns, device=discount.device)
        self.discount, self.limit = discount.float(), limit

    def scaled(self, rollout: Rollout) -> Rollout:
        """The batch with divided rewards."""
        learners = rollout.learners
        sums = discounted_sums(
            rollout.rewards,
            rollout.ends | rollout.truncated,
            self.discount[learners],
            None if self.sums is None else self.sums[learners],
        )
        if self.sums is not None:
            self.sums[learners] = torch.where((rollout.ends | rollout.truncated)[-1], 0.0, sums[-1])
        self.moments.add(sums, rollout.mask, learners)
        scaled = rollout.rewards / self.divisors[learners, None]
        return replace(rollout, rewards=scaled.clamp_(-self.limit, self.limit))

    @property
    def divisors(self) -> Tensor:
        """[R] float32 standard deviations; 1 where all sums so far are equal, up to rounding."""
        variance = self.moments.variance
        differs = variance > ROUNDING * self.moments.mean.square()
        return torch.where(differs, variance.sqrt(), 1.0).float()

    def state(self) -> dict[str, Any]:
        """The moments, and the sums of the columns that continue."""
        return {"moments": self.moments.state_dict(), "sums": self.sums}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.moments.load_state_dict(state["moments"])
        if self.sums is not None:
            self.sums.copy_(state["sums"])


def discounted_sums(rewards: Tensor, over: Tensor, discount: Tensor, before: Tensor | None) -> Tensor:
    """G_t = r_t + γ G_{t−1}, with G_{t−1} := 0 where an episode begins: [T, R, E].

    Args:
        rewards: [T, R, E].
        over: [T, R, E] bool: the sum ends with this step.
        discount: [R] γ.
        before: [R, E] G before the first step; None for 0.
    """
    goes_on = torch.cat([torch.zeros_like(over[:1]), ~over[:-1]])
    weights = goes_on * discount[:, None]
    if before is not None:
        rewards = torch.cat([rewards[:1] + discount[:, None] * before, rewards[1:]])
    return backward_recursion(rewards.flip(0), weights.flip(0)).flip(0)
