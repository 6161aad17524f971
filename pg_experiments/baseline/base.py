"""The base class of baselines, and the option without a baseline."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import gymnasium
import torch
from torch import Tensor, nn

from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import Rollout

METRICS = (
    Metric("value_loss", "", "losses/value_loss"),
    Metric("explained_variance", "", "losses/explained_variance"),
    Metric("value_gradient_norm", "", "gradients/value_norm"),
)  # of a learned value; other baselines report none


Learned = tuple[dict[str, Tensor], dict[int, str]]  # metrics [R]; and the non-finite quantity of each broken learner


class EpisodeGradients(Protocol):
    """Estimates of the policy's gradient from each episode of a batch by itself."""

    def __call__(self, advantages: Tensor) -> Tensor:
        """g_e = Σ_t w_t A_t ∇ log π(a_t | s_t), with the weight w_t of the step (`Returns.weigh`); linear in A.

        Args:
            advantages: [T, R, E].

        Returns:
            [R, E, P], P numbers of the policy's parameters.
        """


class Baseline(nn.Module):
    """Base class of baselines; the value is 0. Learners are never mixed."""

    network: Network | None  # the trained network, if there is one
    optimizer: StackedOptimizer | None = None  # of the network
    hint = ""  # settings that may help where training the network fails

    def __init__(self, network: Network | None = None) -> None:
        super().__init__()
        self.network = network

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        """b(s_t), a constant for the policy's gradient.

        Args:
            rollout: the batch.
            returns: [T, R, E].
            gradients: the policy's gradient for given advantages; computed only where it is called.

        Returns:
            [T, R, E], or a shape that broadcasts to it.
        """
        return torch.zeros((), dtype=returns.dtype, device=returns.device)

    def final_values(self, rollout: Rollout) -> Tensor | None:
        """[T, R, E]: V of the next state at each cut, 0 elsewhere; None for 0 everywhere."""
        return None

    def state_values(self, rollout: Rollout) -> Tensor:
        """[T, R, E]: V(s_t), which a baseline without V(s) does not have. Raises TypeError then."""
        raise TypeError(f"{type(self).__name__} does not estimate V(s)")

    def next_values(self, rollout: Rollout, values: Tensor) -> Tensor:
        """[T, R, E]: V of the state after each step, where the return continues.

        Args:
            rollout: the batch.
            values: [T, R, E], the result of `state_values`.

        Raises:
            TypeError: the baseline does not estimate V(s).
        """
        raise TypeError(f"{type(self).__name__} does not estimate V(s)")

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        """Learns from a batch, after its advantages have been computed.

        Args:
            rollout: the batch.
            returns: [T, R, E].
            skip: indices of learners whose parameters must not change.
        """
        return {}, {}

    def judge(self, values: Tensor, returns: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Metrics of how well the values [T, R, E] predicted the returns."""
        return {}


@dataclass(frozen=True)
class NoBaselineOption:
    """No baseline."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = False

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        return Baseline()
