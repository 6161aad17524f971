"""Initial values of the parameters of a layer."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Initialisation = Literal["torch", "xavier", "orthogonal"]


def initialise_layer(
    weight: Tensor, bias: Tensor | None, how: Initialisation, gain: float, generator: torch.Generator
) -> None:
    """Draws one learner's weight [outputs, inputs] and bias, as described in `StackedMLP.initialise`."""
    if how == "torch":
        bound = 1 / math.sqrt(weight.shape[1])
        weight.uniform_(-bound, bound, generator=generator)
        if bias is not None:
            bias.uniform_(-bound, bound, generator=generator)
        return
    if how == "xavier":
        nn.init.xavier_uniform_(weight, generator=generator)
    else:
        nn.init.orthogonal_(weight, gain, generator=generator)
    if bias is not None:
        bias.zero_()
