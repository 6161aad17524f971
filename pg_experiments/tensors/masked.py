"""Sums and means over the valid steps of a batch.

They are taken in float64, so that the amount of padding, which depends on the other learners, does not change the last
bit of a float32 result.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def masked_sum(values: Tensor, mask: Tensor | None, dims: tuple[int, ...]) -> Tensor:
    """The sum over `dims`, kept with size 1, of values where the mask is True (None: everywhere); in float64."""
    counted = values if mask is None else torch.where(mask, values, 0.0)
    return counted.double().sum(dims, keepdim=True)


def masked_count(values: Tensor, mask: Tensor | None, dims: tuple[int, ...]) -> Tensor | int:
    """The number of values that `masked_sum` adds."""
    return math.prod(values.shape[dim] for dim in dims) if mask is None else mask.sum(dims, keepdim=True)


def sum_of_others(values: Tensor) -> Tensor:
    """The sum of all other entries along the last axis, [..., E] -> [..., E].

    Entries before and after are added, instead of subtracting the own entry from the total, so that an entry has no
    effect on its own sum: not by rounding, and not where it is not finite.
    """
    zero = torch.zeros_like(values[..., :1])
    before = torch.cat([zero, values[..., :-1]], -1).cumsum(-1)
    after = torch.cat([values[..., 1:], zero], -1).flip(-1).cumsum(-1).flip(-1)
    return before + after


def masked_mean(values: Tensor, mask: Tensor | None, dims: tuple[int, ...]) -> Tensor:
    """The mean over `dims`, kept with size 1, of values as in `masked_sum`; 0 where there are none."""
    return masked_sum(values, mask, dims) / at_least_one(masked_count(values, mask, dims))


def at_least_one(count: Tensor | int) -> Tensor | int:
    """The larger of 1 and each count."""
    return max(1, count) if isinstance(count, int) else count.clamp(min=1)
