"""The group `normalization`: standardising returns or advantages, with every degenerate case defined.

The sample deviation (n − 1) is used, as in the text's code. One value alone, or values that are all equal, have
no deviation: they become 0, which says "nothing to tell these actions apart", where a plain
`(x - x.mean()) / x.std()` gives NaN or blows rounding errors up to the size of a signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from pg_experiments.support.errors import UserError
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
    """An option of the group `normalization`: [T, R, E] -> [T, R, E], learners never mixed."""

    @property
    def changes_returns(self) -> bool:
        """Whether returns are not in the environment's units any more."""

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        """Normalises what the baseline is subtracted from."""

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """Normalises what the log-probabilities are weighted with."""

    def centres(self, columns: int | None) -> str | None:
        """The setting by which equal returns of an episode all become 0; None where they do not.

        Args:
            columns: episodes of a batch; None where a batch is no quota of episodes.
        """


@dataclass(frozen=True)
class NoNormalization:
    """Returns and advantages as they are."""

    @property
    def changes_returns(self) -> bool:
        return False

    def of_returns(self, returns: Tensor, mask: Tensor) -> Tensor:
        return returns

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return advantages

    def centres(self, columns: int | None) -> str | None:
        return None


@dataclass(frozen=True)
class NormalizedReturns(NoNormalization):
    """Returns to mean 0 and deviation 1, over each episode by itself, as in the text, or over a learner's batch.

    Not the same as subtracting a baseline that is independent of the action: the mean and the deviation come
    from the returns themselves and bias the gradient (a little, in long episodes). Over an episode, the difference
    between episodes is lost: only early and late steps of one episode are compared.
    """

    over: Literal["episode", "batch"]

    @property
    def changes_returns(self) -> bool:
        return True

    def validate(self, config: Any) -> None:
        """Raises UserError where an episode's returns all have one sign."""
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
    """All advantages of a learner's batch to mean 0 and deviation 1: good episodes stay better than bad ones."""

    def of_advantages(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return standardize(advantages, mask, (0, 2))

    def centres(self, columns: int | None) -> str | None:
        return "normalization=advantages and collect.episodes=1" if columns == 1 else None


OPTIONS: dict[str, type] = {
    "none": NoNormalization,
    "returns": NormalizedReturns,
    "advantages": NormalizedAdvantages,
}
