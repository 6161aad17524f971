"""Signal and noise of a gradient that is the mean of independent estimates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from pg_experiments.normalization.moments import Moments


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

    Args:
        parts: the gradients [R, n', P], at least two for each learner in all.

    Raises:
        ValueError: there are fewer.
    """
    moments, count = None, 0
    for part in parts:
        R, n, P = part.shape
        if moments is None:
            moments = Moments(R, (P,)).to(part.device)
        every = torch.ones(n, R, 1, dtype=torch.bool, device=part.device)
        moments.add(part.detach().transpose(0, 1).unsqueeze(2), every, torch.arange(R, device=part.device))
        count += n
    if moments is None or count < 2:
        raise ValueError(f"{count} gradients: a variance needs at least 2")
    return GradientStatistics(count, moments.mean, moments.deviations.sum(1) / (count - 1))
