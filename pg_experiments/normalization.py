"""The group `normalization`: standardisation of returns or advantages, with all degenerate cases defined.

The sample standard deviation (n − 1) is used, as in the text's code. A single value, or values that are all equal,
become 0, where `(x - x.mean()) / x.std()` gives NaN or amplifies rounding errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from pg_experiments.support.errors import UserError
from pg_experiments.tensors.masked import masked_mean, masked_sum


def standardize(values: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """(x − mean) / s over `dims`, where the mask is True; s is the sample standard deviation.

    Args:
        values: any shape.
        mask: same shape, bool.
        dims: the axes that are reduced.

    Returns:
        Same shape: 0 where the mask is False, and 0 for a group of fewer than two values or of equal values. A group
        with a value that is not finite becomes NaN, so that it is detected downstream.
    """
    values = torch.where(mask, values, 0.0)
    centred = values - masked_mean(values, mask, dims).to(values.dtype)
    degrees = (mask.sum(dims, keepdim=True) - 1).clamp(min=1)
    deviation = (masked_sum(centred.square(), mask, dims) / degrees).sqrt().to(values.dtype)
    rounding = 8 * torch.finfo(values.dtype).eps * values.abs().amax(dims, keepdim=True)
    return torch.where(mask & ~(deviation <= rounding), centred / deviation, 0.0)


class Normalization(Protocol):
    """An option of the group `normalization`: [T, R, E] -> [T, R, E]. Learners are never mixed."""

    @property
    def changes_returns(self) -> bool:
        """Whether normalised returns are not in the environment's units."""

    def of_minibatch(self, advantages: Tensor, valid: Tensor) -> Tensor:
        """Normalises the advantages [R, N] of a mini-batch, after `of_advantages`."""

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        """Normalises returns, before the baseline is subtracted."""

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """Normalises advantages, the weights of the log-probabilities."""

    def centres(self, columns: int | None) -> str | None:
        """The settings with which returns that are equal within each episode become 0; None where they do not.

        Args:
            columns: number of episodes in a batch; None where a batch is not a quota of episodes.
        """


@dataclass(frozen=True)
class NoNormalization:
    """Returns and advantages as they are."""

    @property
    def changes_returns(self) -> bool:
        return False

    def of_minibatch(self, advantages: Tensor, valid: Tensor) -> Tensor:
        return advantages

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        return returns

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return advantages

    def centres(self, columns: int | None) -> str | None:
        return None


@dataclass(frozen=True)
class NormalizedReturns(NoNormalization):
    """Standardises returns over each episode, as in the text, or over a learner's batch.

    This is not equivalent to a baseline that is independent of the action: mean and standard deviation are computed
    from the returns themselves and bias the gradient (slightly, in long episodes). Over an episode, differences between
    episodes are lost, and only steps of the same episode are compared.
    """

    over: Literal["episode", "batch"]

    @property
    def changes_returns(self) -> bool:
        return True

    def validate(self, config: Any) -> None:
        """Raises UserError for points, whose returns all have the same sign."""
        if self.over == "episode" and config.collect.episodes_per_batch is None:
            raise UserError(
                "normalization.over=episode with collect=points: all returns of a point have one sign, and "
                "normalising them by themselves loses who won it; the nearest is normalization.over=batch"
            )

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        return standardize(returns, mask, (0,) if self.over == "episode" else (0, 2))

    def centres(self, columns: int | None) -> str | None:
        if self.over == "episode":
            return "normalization=returns"
        return "normalization.over=batch and collect.episodes=1" if columns == 1 else None


@dataclass(frozen=True)
class NormalizedAdvantages(NoNormalization):
    """Standardises advantages over a learner's batch, so that episodes are compared with each other, or mini-batch."""

    over: Literal["batch", "minibatch"] = "batch"

    def validate(self, config: Any) -> None:
        """Raises UserError for mini-batches of an algorithm that has none."""
        if self.over == "minibatch" and not getattr(config.algorithm, "has_minibatches", False):
            raise UserError(
                "normalization.over=minibatch: this algorithm learns from the batch as a whole; the nearest is batch"
            )

    def of_minibatch(self, advantages: Tensor, valid: Tensor) -> Tensor:
        return standardize(advantages, valid, (1,)) if self.over == "minibatch" else advantages

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return standardize(advantages, mask, (0, 2)) if self.over == "batch" else advantages

    def centres(self, columns: int | None) -> str | None:
        return "normalization=advantages and collect.episodes=1" if columns == 1 else None


OPTIONS: dict[str, type] = {
    "none": NoNormalization,
    "returns": NormalizedReturns,
    "advantages": NormalizedAdvantages,
}
