"""Standardisation over some axes, with all degenerate cases defined.

The sample standard deviation (n − 1) is used, as in the text's code. A single value, or values that are all equal,
become 0, where `(x - x.mean()) / x.std()` gives NaN or amplifies rounding errors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pg_experiments.tensors.masked import at_least_one, masked_count, masked_mean, masked_sum


def standardize(values: Tensor, mask: Tensor | None, dims: tuple[int, ...]) -> Tensor:
    """(x − mean) / s over `dims`, where the mask is True; s is the sample standard deviation.

    Args:
        values: any shape.
        mask: same shape, bool; None: True everywhere.
        dims: the axes that are reduced.

    Returns:
        Same shape: 0 where the mask is False, and 0 for a group of fewer than two values or of equal values. A group
        with a value that is not finite becomes NaN, so that it is detected downstream.
    """
    values = values if mask is None else torch.where(mask, values, 0.0)
    centred = values - masked_mean(values, mask, dims).to(values.dtype)
    degrees = at_least_one(masked_count(values, mask, dims) - 1)
    deviation = (masked_sum(centred.square(), mask, dims) / degrees).sqrt().to(values.dtype)
    rounding = 8 * torch.finfo(values.dtype).eps * values.abs().amax(dims, keepdim=True)
    varies = ~(deviation <= rounding)
    return torch.where(varies if mask is None else mask & varies, centred / deviation, 0.0)
