"""What is normalised, as keys that can be combined. Presets in `conf/normalization` set them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from pg_experiments.normalization.standardize import standardize
from pg_experiments.support.errors import UserError


@dataclass(frozen=True)
class Normalization:
    """What is normalised, and over what. Learners are never mixed.

    Standardised returns are not equivalent to a baseline that is independent of the action: mean and standard deviation
    are computed from the returns themselves and bias the gradient (slightly, in long episodes). Over an episode,
    differences between episodes are lost, and only steps of the same episode are compared.
    """

    returns: Literal["none", "episode", "batch"] = "none"
    advantages: Literal["none", "batch", "minibatch"] = "none"

    def validate(self, config: Any) -> None:
        """Raises UserError where a choice does not fit the collector or the algorithm."""
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

    def of_minibatch(self, advantages: Tensor, valid: Tensor) -> Tensor:
        """Normalises the advantages [R, N] of a mini-batch, after `of_advantages`."""
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
