"""The options that the package offers: `policy=residual` and `baseline=binned`."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Lt
from pg_experiments import UserError, option
from pg_experiments.baseline import Baseline, EpisodeGradients, Learned, explained_variance
from pg_experiments.policy import ModulePolicy
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import Rollout
from torch import Tensor, nn

from pg_suggestions.baseline import BinnedMean
from pg_suggestions.features import FEATURES
from pg_suggestions.network import Residual

PROBABILITY = FEATURES.index("probability")


@option("policy", "residual")
@dataclass(frozen=True)
class ResidualPolicy(ModulePolicy):
    """A residual perceptron."""

    width: Annotated[int, Ge(1)]
    blocks: Annotated[int, Ge(1)]

    def module(self, observation_shape: tuple[int, ...], outputs: int) -> nn.Module:
        return Residual(math.prod(observation_shape), outputs, self.width, self.blocks)


class Binned(Baseline):
    """What `BinnedMean` says of the probability in each observation."""

    def __init__(self, means: BinnedMean) -> None:
        super().__init__()
        self.means = means

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        return self.means.values(_probabilities(rollout)).to(returns.dtype)

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        self.means.update(_probabilities(rollout), returns, rollout.mask)
        return {}, {}

    def judge(self, values: Tensor, returns: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {"explained_variance": explained_variance(values, returns, mask)}


def _probabilities(rollout: Rollout) -> Tensor:
    """[T, R, E]"""
    assert isinstance(rollout.observations, Tensor), "only observations of Atari games are sparse"
    return rollout.observations[..., PROBABILITY]


@option("baseline", "binned")
@dataclass(frozen=True)
class BinnedOption:
    """A mean return of earlier batches for each interval of the proposal's probability."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = False
    bins: Annotated[int, Ge(1)]
    decay: Annotated[float, Ge(0), Lt(1)]

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        if observations.shape != (len(FEATURES),):
            raise UserError("baseline=binned: for observations of the package pg-suggestions; the nearest is value")
        return Binned(BinnedMean(len(learners), self.bins, self.decay)).to(device)
