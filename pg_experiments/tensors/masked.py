"""Sums and means over the steps that were played.

They are taken in float64, so that how much padding stands between the steps, which depends on what the neighbours
played, does not show in the last bit of a float32.
"""

from __future__ import annotations

import torch
from torch import Tensor


def masked_sum(values: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Σ over `dims`, which stay as 1, where the mask is True; in float64."""
    return torch.where(mask, values, 0.0).double().sum(dims, keepdim=True)


def masked_mean(values: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Likewise the mean; 0 where the mask is False everywhere."""
    return masked_sum(values, mask, dims) / mask.sum(dims, keepdim=True).clamp(min=1)
