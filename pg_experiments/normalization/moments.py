"""Running mean and variance of R learners, merged batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pg_experiments.tensors.masked import masked_sum

PART = 2**21  # numbers that are converted to float64 at once


class Moments(nn.Module):
    """Count, mean and sum of squared deviations of each learner's values, in float64.

    Batches are merged exactly (Chan, Golub & LeVeque 1983): with δ = mean_b − mean_a and n = n_a + n_b, the mean is
    mean_a + δ n_b / n, and the sum of squared deviations M_a + M_b + δ² n_a n_b / n.
    """

    count: Tensor  # [R]
    mean: Tensor  # [R, *shape]
    deviations: Tensor  # [R, *shape] sums of squared deviations from the mean

    def __init__(self, learners: int, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(learners, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(learners, *shape, dtype=torch.float64))
        self.register_buffer("deviations", torch.zeros(learners, *shape, dtype=torch.float64))

    @property
    def variance(self) -> Tensor:
        """[R, *shape]: the variance of all values so far (of the population); 0 before the first."""
        return self.deviations / self._rows(self.count.clamp(min=1))

    @torch.no_grad()
    def add(self, values: Tensor, mask: Tensor, learners: Tensor) -> None:
        """Merges a batch.

        Args:
            values: [T, R', E, *shape] of some learners.
            mask: [T, R', E] bool: the values that count.
            learners: [R'] indices of these learners.
        """
        steps = max(1, PART // max(1, values[0].numel()))
        for part, counted in zip(values.split(steps), mask.split(steps), strict=True):
            self._merge(part, counted, learners)

    def _merge(self, values: Tensor, mask: Tensor, learners: Tensor) -> None:
        counted = mask.view(*mask.shape, *(1 for _ in values.shape[3:]))
        count = mask.sum((0, 2)).double()  # [R']
        mean = masked_sum(values, counted, (0, 2)) / self._rows(count.clamp(min=1))[:, None]  # [1, R', 1, *shape]
        deviations = masked_sum((values - mean).square(), counted, (0, 2))[0, :, 0]
        before, difference = self.count[learners], mean[0, :, 0] - self.mean[learners]
        total = (before + count).clamp(min=1)
        self.mean[learners] += difference * self._rows(count / total)
        self.deviations[learners] += deviations + difference.square() * self._rows(before * count / total)
        self.count[learners] = before + count

    def _rows(self, per_learner: Tensor) -> Tensor:
        """[R'] -> [R', 1, …], with as many axes as the mean."""
        return per_learner.view(-1, *(1 for _ in self.mean.shape[1:]))
