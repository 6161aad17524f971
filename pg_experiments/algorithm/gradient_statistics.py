"""Signal and noise of a gradient that is the mean of independent estimates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

AT_ONCE = 2**18  # numbers that are converted to float64 at once, 2 MiB


@dataclass(frozen=True)
class GradientStatistics:
    """Statistics of n ≥ 2 gradients g_i of each of R learners; numbers are float64.

    The g_i are taken as independent, with mean G and covariance Σ. Their mean ḡ then has the covariance Σ / n, so that
    E‖ḡ‖² = ‖G‖² + tr Σ / n.
    """

    count: int  # n
    mean: Tensor  # [R, P] ḡ
    variance: Tensor  # [R] S, the unbiased estimate of tr Σ: Σ_i ‖g_i − ḡ‖² / (n − 1)

    @property
    def norm(self) -> Tensor:
        """[R]: ‖ḡ‖."""
        norm: Tensor = torch.linalg.vector_norm(self.mean, dim=1)
        return norm

    @property
    def signal(self) -> Tensor:
        """[R]: ‖ḡ‖² − S / n, the unbiased estimate of ‖G‖², which may be negative.

        The estimate of McCandlish et al. (2018, arXiv:1812.06162, appendix A.1) from batches of 1 and of n.
        """
        return self.mean.square().sum(1) - self.variance / self.count

    @property
    def noise_scale(self) -> Tensor:
        """[R]: S / ‖G‖², the n at which the variance of ḡ equals the square of G; NaN where `signal` is not positive.

        The simple noise scale of McCandlish et al. (2018), in numbers of gradients.
        """
        return torch.where(self.signal > 0, self.variance / self.signal, torch.nan)

    @property
    def snr(self) -> Tensor:
        """[R]: ‖G‖ / √(S / n), the ratio of signal to noise of ḡ, with `signal` for ‖G‖² where it is positive, else 0.

        Its square is n divided by the noise scale. NaN where all gradients are equal.
        """
        noise = self.variance / self.count
        ratio = (self.signal.clamp(min=0) / noise).sqrt()
        return torch.where(noise > 0, ratio, torch.nan)


def gradient_statistics(parts: Iterable[Tensor]) -> GradientStatistics:
    """Statistics of gradients that come in parts, so that not all of them need to be in memory.

    With the differences d_i from the first gradient of a learner, ḡ = g_1 + Σ d_i / n and
    Σ ‖g_i − ḡ‖² = Σ ‖d_i‖² − ‖Σ d_i‖² / n (Chan, Golub & LeVeque 1983). As ‖g_1 − ḡ‖² is one of the terms on the left,
    the relative error is of order n ε, with ε of float64.

    Args:
        parts: the gradients [R, n', P], at least two for each learner in all.

    Raises:
        ValueError: there are fewer.
    """
    first, count = None, 0
    for part in parts:
        R, n, P = part.shape
        if first is None:
            first = part[:, 0].double()
            sums, squares = torch.zeros_like(first), first.new_zeros(R)
        size = max(1, AT_ONCE // (R * n))
        for place in (slice(start, start + size) for start in range(0, P, size)):
            differences = part[:, :, place].double() - first[:, None, place]
            sums[:, place] += differences.sum(1)
            squares += differences.square_().sum((1, 2))
        count += n
    if first is None or count < 2:
        raise ValueError(f"{count} gradients: a variance needs at least 2")
    deviations = (squares - sums.square().sum(1) / count).clamp(min=0)
    return GradientStatistics(count, first + sums / count, deviations / (count - 1))
