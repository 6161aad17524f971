"""What is normalised, as keys that can be combined. Presets in `conf/normalization` set them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, cast

import torch
from annotated_types import Gt
from torch import Tensor

from pg_experiments.normalization.observations import Bounds, Running
from pg_experiments.normalization.options import NormalizedBaseline, NormalizedPolicy
from pg_experiments.normalization.rewards import (
    ClippedRewards,
    PlainRewards,
    RewardScale,
    ScaledRewards,
    SignsOfRewards,
)
from pg_experiments.normalization.standardize import standardize
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners

Option = TypeVar("Option")
REWARD_CLIP = {"running": 10.0, "clip": 1.0}  # where `reward_clip` is null


@dataclass(frozen=True)
class Normalization:
    """What is normalised, and over what. Learners are never mixed.

    Standardised returns are not equivalent to a baseline that is independent of the action: mean and standard deviation
    are computed from the returns themselves and bias the gradient (slightly, in long episodes). Over an episode,
    differences between episodes are lost, and only steps of the same episode are compared.
    """

    observations: Literal["none", "bounds", "running"] = "none"
    observation_clip: Annotated[float, Gt(0)] = 10.0
    rewards: Literal["none", "running", "clip", "sign"] = "none"
    reward_clip: Annotated[float, Gt(0)] | None = None
    returns: Literal["none", "episode", "batch"] = "none"
    advantages: Literal["none", "batch", "minibatch"] = "none"

    def validate(self, config: Any) -> None:
        """Raises UserError where a choice does not fit the environment, the collector or the algorithm."""
        if self.observations != "none" and config.env.emulators is not None:
            raise UserError(
                f"normalization.observations={self.observations}: observations of {config.env.label} are lists of the "
                "pixels that changed, of which most have none; the nearest is none"
            )
        if self.reward_clip is not None and self.rewards not in REWARD_CLIP:
            raise UserError(
                f"normalization.reward_clip={self.reward_clip}: nothing is clipped with normalization.rewards="
                f"{self.rewards}; use normalization.rewards=clip, or null"
            )
        if self.returns == "episode" and config.collect.episodes_per_batch is None:
            raise UserError(
                "normalization.returns=episode with collect=points: all returns of a point have one sign, and "
                "normalising them by themselves loses who won it; the nearest is normalization.returns=batch"
            )
        if self.advantages == "minibatch" and not getattr(config.algorithm, "has_minibatches", False):
            raise UserError(
                "normalization.advantages=minibatch: this algorithm learns from the batch as a whole; the nearest is "
                "batch"
            )

    def of_policy(self, option: Option) -> Option:
        """The option of the group `policy` with a network that is given normalised observations."""
        if self.observations == "none":
            return option
        kind = Running if self.observations == "running" else Bounds
        return cast(Option, NormalizedPolicy(cast(Any, option), partial(kind, limit=self.observation_clip)))

    def of_baseline(self, option: Option) -> Option:
        """The option of the group `baseline`, whose network gets the observations that the policy gets."""
        return option if self.observations == "none" else cast(Option, NormalizedBaseline(cast(Any, option)))

    def reward_scale(self, config: Any, learners: Learners, device: torch.device) -> RewardScale:
        """What learning sees in place of the rewards of a run with this config."""
        if self.rewards == "none":
            return PlainRewards()
        if self.rewards == "sign":
            return SignsOfRewards()
        limit = self.reward_clip or REWARD_CLIP[self.rewards]
        if self.rewards == "clip":
            return ClippedRewards(limit)
        columns = None if config.collect.steps_per_batch is None else config.collect.num_envs
        discount = learners.values("algorithm.discount", config.algorithm.discount).to(device)
        return ScaledRewards(len(learners), columns, discount, limit)

    @property
    def changes_returns(self) -> bool:
        """Whether normalised returns are not in the units of the rewards."""
        return self.returns != "none"

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        """Normalises returns [T, R, E], before the baseline is subtracted."""
        if self.returns == "none":
            return returns
        return standardize(returns, mask, (0,) if self.returns == "episode" else (0, 2))

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """Normalises advantages [T, R, E], the weights of the log-probabilities, over a learner's batch."""
        return standardize(advantages, mask, (0, 2)) if self.advantages == "batch" else advantages

    def of_minibatch(self, advantages: Tensor, valid: Tensor | None) -> Tensor:
        """Normalises the advantages [R, N] of a mini-batch, after `of_advantages`; `valid` is None without padding."""
        return standardize(advantages, valid, (1,)) if self.advantages == "minibatch" else advantages

    def centres(self, columns: int | None) -> str | None:
        """The settings with which returns that are equal within each episode become 0; None where they do not.

        Args:
            columns: number of episodes in a batch; None where a batch is not a quota of episodes.
        """
        if self.returns == "episode":
            return "normalization.returns=episode"
        if columns == 1 and self.returns == "batch":
            return "normalization.returns=batch and collect.episodes=1"
        if columns == 1 and self.advantages == "batch":
            return "normalization.advantages=batch and collect.episodes=1"
        return None
