"""The policy's part of an actor-critic's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from pg_experiments.support.metric import Metric


class Surrogate(NamedTuple):
    """The policy's loss of each step, whose gradient is that of the objective; its value is no measure of progress."""

    losses: Tensor  # [R, N]
    slopes: Tensor  # [R, N] derivatives of the losses by log π(a | s)
    metrics: dict[str, Tensor]  # [R, N] each


class Objective(Protocol):
    """The policy's part of the loss."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """What `surrogate` measures."""

    @property
    def uses_old_log_probs(self) -> bool:
        """Whether the log-probabilities from before the update are needed."""

    def surrogate(self, log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor) -> Surrogate:
        """The loss of each step.

        Args:
            log_probs: [R, N] log π(a | s).
            old_log_probs: [R, N] the same before the update; 0 where they are not used.
            advantages: [R, N].
        """
