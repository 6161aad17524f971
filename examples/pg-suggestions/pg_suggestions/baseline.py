"""A baseline of its own: the mean return of earlier batches, by how probable the proposal is under the model.

What showing a proposal earns depends above all on its probability, so a mean per interval of that probability explains
much of the return, and needs no network. It is a function of the state alone and made of earlier batches alone, so it
leaves the expected gradient as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BinnedMean(nn.Module):
    """Exponential moving averages of returns, one for each learner and each interval of a number between 0 and 1."""

    sums: Tensor  # [R, bins] decayed sums of returns
    counts: Tensor  # [R, bins] and how many returns there are in them

    def __init__(self, learners: int, bins: int, decay: float) -> None:
        """Averages of nothing, which are 0.

        Args:
            learners: R; they share nothing.
            bins: intervals of equal length.
            decay: share of the earlier batches' weight that stays at each update, 0 to below 1.
        """
        super().__init__()
        self.bins = bins
        self.decay = decay
        self.register_buffer("sums", torch.zeros(learners, bins))
        self.register_buffer("counts", torch.zeros(learners, bins))

    def values(self, numbers: Tensor) -> Tensor:
        """The average of each number's interval: numbers [T, R, E] between 0 and 1 -> [T, R, E]."""
        means = self.sums / self.counts.clamp(min=torch.finfo(self.counts.dtype).tiny)
        return self._of_learners(means.gather(1, self._bins(numbers)), numbers)

    def update(self, numbers: Tensor, returns: Tensor, mask: Tensor) -> None:
        """Take a batch into the averages, after its values have been used.

        Args:
            numbers: [T, R, E] between 0 and 1.
            returns: [T, R, E].
            mask: [T, R, E] bool: the steps that count.
        """
        bins, weights = self._bins(numbers), self._by_learner(mask.to(self.counts.dtype))
        returns = self._by_learner(torch.where(mask, returns, 0.0).to(self.sums.dtype))
        self.sums.mul_(self.decay).scatter_add_(1, bins, returns)
        self.counts.mul_(self.decay).scatter_add_(1, bins, weights)

    def _bins(self, numbers: Tensor) -> Tensor:
        """[T, R, E] -> [R, T · E] the interval of each number."""
        return (self._by_learner(numbers) * self.bins).long().clamp(0, self.bins - 1)

    @staticmethod
    def _by_learner(x: Tensor) -> Tensor:
        """[T, R, E] -> [R, T · E]"""
        return x.transpose(0, 1).flatten(1)

    @staticmethod
    def _of_learners(x: Tensor, like: Tensor) -> Tensor:
        """[R, T · E] -> [T, R, E]"""
        T, R, E = like.shape
        return x.view(R, T, E).transpose(0, 1)
