"""Baselines that are means of returns: of the batch, of its other episodes, or of earlier batches."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Lt
from torch import Tensor

from pg_experiments.baseline.base import Baseline, EpisodeGradients, Learned
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.masked import masked_mean, masked_sum, sum_of_others
from pg_experiments.tensors.networks import Network
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
    estimates_values: ClassVar[bool] = False

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        return MeanBaseline()


class LeaveOneOut(Baseline):
    """For each episode, the mean return over the steps of the batch's other episodes (Kool et al. 2019).

    b_e = Σ_{i≠e} Σ_t G_{i,t} / Σ_{i≠e} T_i. Each step of the other episodes has the same weight, as in `MeanBaseline`.
    Returns and length of the episode itself are in neither sum. As the episodes of a batch are independent given the
    policy, E[Σ_t b_e ∇ log π(a_t | s_t)] = E[b_e] · 0: the gradient stays unbiased, also where lengths are random.
    """

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        sums = sum_of_others(masked_sum(returns, rollout.mask, (0,)))
        steps = sum_of_others(rollout.lengths)
        return (sums / steps.clamp(min=1)).to(returns.dtype)


class TimeDependent(Baseline):
    """For each step t of an episode, the mean return at step t over the batch's other episodes with more than t steps.

    b_{e,t} = Σ_{i≠e, T_i>t} G_{i,t} / |{i≠e: T_i>t}|, and 0 where no other episode has a step t. It depends on t and on
    the other episodes only, so the gradient stays unbiased.
    """

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        sums = sum_of_others(torch.where(rollout.mask, returns, 0.0).double())
        counts = sum_of_others(rollout.mask.long())
        return (sums / counts.clamp(min=1)).to(returns.dtype)


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


def require_other_episodes(config: Any, option: str) -> None:
    """Raises UserError where a batch has no other episodes that are independent of an episode.

    The points of a game follow each other: the next point begins with what the actions of a point have left, so a mean
    over the other points of a batch depends on these actions.
    """
    columns = config.collect.episodes_per_batch
    if columns is None:
        raise UserError(
            f"baseline={option} with collect=points: expects independent episodes, and points of a game follow each "
            "other; the nearest is baseline=mean"
        )
    if columns < 2:
        raise UserError(
            f"baseline={option} with collect.episodes={columns}: there are no other episodes in a batch; the nearest "
            "is collect.episodes=2"
        )


@dataclass(frozen=True)
class LeaveOneOutOption:
    """The mean return of the batch's other episodes."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = False

    def validate(self, config: Any) -> None:
        """Raises UserError where a batch has no other episodes."""
        require_other_episodes(config, "leave_one_out")

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        return LeaveOneOut()


@dataclass(frozen=True)
class TimeDependentOption:
    """The mean return at the same step of the batch's other episodes."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = False

    def validate(self, config: Any) -> None:
        """Raises UserError where a batch has no other episodes."""
        require_other_episodes(config, "time_dependent")

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        return TimeDependent()


@dataclass(frozen=True)
class MovingAverageOption:
    """A moving average of earlier batches."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = False
    decay: Annotated[float, Ge(0), Lt(1)]

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        return MovingAverage(learners.values("baseline.decay", self.decay)).to(device)
