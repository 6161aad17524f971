"""Baselines that are means of returns: of the batch itself, or of earlier batches."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Lt
from torch import Tensor

from pg_experiments.baseline.base import Baseline, EpisodeGradients, Learned
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.masked import masked_mean
from pg_experiments.tensors.rollout import Rollout


class MeanBaseline(Baseline):
    """The mean return over the batch's steps.

    The mean includes the batch's own returns, so part of an action's return is subtracted from itself, and all returns
    of an episode share rewards. This is a bias of order one over the number of episodes. With `returns=trajectory` and
    E episodes of equal length the expected gradient shrinks by 1 − 1/E. `moving_average` has no such bias.
    """

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)


@dataclass(frozen=True)
class MeanOption:
    """The mean of the batch's returns."""

    is_mean_of_batch: ClassVar[bool] = True

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
        return MeanBaseline()


class MovingAverage(Baseline):
    """An exponential moving average of earlier batches' mean returns; 0 for the first batch.

    It depends only on earlier batches, so it adds no bias to the gradient. The initial value of 0 is corrected as in
    Adam (Kingma & Ba 2015, section 3).
    """

    kept: Tensor  # [R] decay: weight of the old average
    added: Tensor  # [R] 1 − decay: weight of the new mean
    average: Tensor  # [R] before correction
    batches: Tensor  # [R] number of batches in the average

    def __init__(self, decay: Tensor) -> None:
        """`decay` is [R]."""
        super().__init__()
        self.register_buffer("kept", decay.float(), persistent=False)
        self.register_buffer("added", (1 - decay).float(), persistent=False)
        self.register_buffer("average", torch.zeros(len(decay)))
        self.register_buffer("batches", torch.zeros(len(decay), dtype=torch.int64))

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        correction = torch.maximum(1 - self.kept**self.batches, self.added)
        average = (self.average / correction)[rollout.learners]
        return average.to(returns.dtype)[:, None]

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        mean = masked_mean(returns, rollout.mask, (0, 2)).flatten().to(self.average.dtype)
        learners = rollout.learners
        finite = mean.isfinite()  # otherwise the learner is stopped by the run
        average = self.average[learners]
        updated = self.kept[learners] * average + self.added[learners] * mean
        self.average[learners] = torch.where(finite, updated, average)
        self.batches[learners] += finite
        return {}, {}


@dataclass(frozen=True)
class MovingAverageOption:
    """A moving average of earlier batches."""

    is_mean_of_batch: ClassVar[bool] = False
    decay: Annotated[float, Ge(0), Lt(1)]

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
        return MovingAverage(learners.values("baseline.decay", self.decay)).to(device)
