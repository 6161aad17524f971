"""The group `baseline`: values subtracted from the returns, which may depend on the state but not on the action."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import gymnasium
import torch

from pg_experiments.baseline.base import METRICS, Baseline, EpisodeGradients, Learned, NoBaselineOption
from pg_experiments.baseline.batch import (
    LeaveOneOut,
    LeaveOneOutOption,
    MeanBaseline,
    MeanOption,
    MovingAverage,
    MovingAverageOption,
    TimeDependent,
    TimeDependentOption,
)
from pg_experiments.baseline.optimal import OptimalBaseline, OptimalOption, variance_terms
from pg_experiments.baseline.shared_value import SharedValueOption
from pg_experiments.baseline.value import ValueBaseline, ValueOption, explained_variance
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network

__all__ = [
    "METRICS",
    "OPTIONS",
    "Baseline",
    "BaselineOption",
    "EpisodeGradients",
    "Learned",
    "LeaveOneOut",
    "MeanBaseline",
    "MovingAverage",
    "MovingAverageOption",
    "OptimalBaseline",
    "OptimalOption",
    "TimeDependent",
    "ValueBaseline",
    "ValueOption",
    "explained_variance",
    "variance_terms",
]


class BaselineOption(Protocol):
    """An option of the group `baseline`.

    Attributes:
        is_mean_of_batch: whether the mean of the batch's own returns is subtracted.
        estimates_values: whether it learns V(s).
    """

    is_mean_of_batch: ClassVar[bool]
    estimates_values: ClassVar[bool]

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        """Builds the baseline of all learners.

        Args:
            observations: the observation space.
            policy: the network of the policy, whose layers may be shared.
            learners: all learners.
            device: the device of the parameters.
        """


OPTIONS: dict[str, type] = {
    "none": NoBaselineOption,
    "mean": MeanOption,
    "leave_one_out": LeaveOneOutOption,
    "time_dependent": TimeDependentOption,
    "optimal": OptimalOption,
    "moving_average": MovingAverageOption,
    "value": ValueOption,
    "shared_value": SharedValueOption,
}
