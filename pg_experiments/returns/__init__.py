"""The group `returns`: the return of each step, before the baseline is subtracted."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from pg_experiments.returns.bootstrapped import GAE, TD, NStep
from pg_experiments.returns.monte_carlo import RewardToGo, Trajectory
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout


class Returns(Protocol):
    """The returns of R learners."""

    @property
    def uses_values(self) -> bool:
        """Whether V(s) after every step is needed, and not only where the data is cut."""

    def __call__(self, rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
        """Computes the return of each step.

        Args:
            rollout: the batch.
            next_values: [T, R, E] V of the state after each step; None for 0.
            discount: [R] γ of the learners that took part.

        Returns:
            [T, R, E], 0 where there is no step.
        """

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        """Multiplies the advantage of each step by the step's weight, [T, R, E] -> [T, R, E]."""


class ReturnsOption(Protocol):
    """An option of the group `returns`."""

    @property
    def uses_values(self) -> bool:
        """As `Returns.uses_values`."""

    def build(self, learners: Learners) -> Returns:
        """Builds the returns of all learners."""


OPTIONS: dict[str, type] = {
    "reward_to_go": RewardToGo,
    "trajectory": Trajectory,
    "n_step": NStep,
    "td": TD,
    "gae": GAE,
}
