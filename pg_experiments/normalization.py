"""Standardising returns or advantages, with every degenerate case defined.

The sample deviation (n − 1) is used, as in the text's code. One value alone, or values that are all equal, have
no deviation: they become 0, which says "nothing to tell these actions apart", where a plain
`(x - x.mean()) / x.std()` gives NaN or blows rounding errors up to the size of a signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from pg_experiments.tensors.masked import masked_mean, masked_sum


def standardize(values: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """(x − mean) / s over `dims`, counting masked-in places alone; s is the sample standard deviation.

    Args:
        values: any shape.
        mask: same shape, bool.
        dims: the axes that are reduced.

    Returns:
        Same shape: 0 where the mask is False, and 0 for a group of fewer than two values or of equal values. A value
        that is not finite makes NaN of its group: it is no reason to learn nothing in silence.
    """
    values = torch.where(mask, values, 0.0)
    centred = values - masked_mean(values, mask, dims).to(values.dtype)
    degrees = (mask.sum(dims, keepdim=True) - 1).clamp(min=1)
    deviation = (masked_sum(centred.square(), mask, dims) / degrees).sqrt().to(values.dtype)
    rounding = 8 * torch.finfo(values.dtype).eps * values.abs().amax(dims, keepdim=True)
    return torch.where(mask & ~(deviation <= rounding), centred / deviation, 0.0)


class Normalization(Protocol):
    """What an option of the group `normalization` offers: [T, R, E] -> [T, R, E], seeds never mixed."""

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        """What the baseline is subtracted from."""

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """What weighs the log-probabilities."""


@dataclass(frozen=True)
class NoNormalization:
    """Returns and advantages as they are."""

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        return returns

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return advantages


@dataclass(frozen=True)
class NormalizedReturns(NoNormalization):
    """Returns to mean 0 and deviation 1, over each episode by itself, as in the text, or over a seed's batch.

    Not the same as subtracting a baseline that is independent of the action: the mean and the deviation come
    from the returns themselves and bias the gradient (a little, in long episodes). Over an episode, how episodes
    compare with each other is lost: only early and late steps of one episode are told apart.
    """

    over: Literal["episode", "batch"]

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        return standardize(returns, mask, (0,) if self.over == "episode" else (0, 2))


@dataclass(frozen=True)
class NormalizedAdvantages(NoNormalization):
    """All advantages of a seed's batch to mean 0 and deviation 1: good episodes stay better than bad ones."""

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return standardize(advantages, mask, (0, 2))


OPTIONS: dict[str, type] = {
    "none": NoNormalization,
    "returns": NormalizedReturns,
    "advantages": NormalizedAdvantages,
}
