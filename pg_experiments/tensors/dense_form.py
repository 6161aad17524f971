"""The plain arrays of perceptrons, for compiled loops over dense observations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pg_experiments.tensors.fused import CODES, Activation
from pg_experiments.tensors.networks import DenseForm

Layer = tuple[Tensor, Tensor | None]  # weights [R, inputs, outputs]; biases [R, 1, outputs], or none

LEVELS = 2**16  # dropout compares 16 random bits per unit, so its probability is exact to 1/65,536


def dense_form_of(layers: Sequence[Layer], activation: Activation, drop_below: Tensor) -> DenseForm:
    """Perceptrons as plain arrays, with a copy of the parameters; `drop_below` [R] is that of `StackedMLP`."""
    weights = [weight.detach().numpy() for weight, _ in layers]
    biases = [
        np.zeros_like(w[:, :1]) if b is None else b.detach().numpy() for w, (_, b) in zip(weights, layers, strict=True)
    ]
    widths = [weights[0].shape[1], *(weight.shape[2] for weight in weights)]
    weights[-1] = weights[-1].swapaxes(1, 2)
    parts = [part.reshape(len(part), -1) for pair in zip(weights, biases, strict=True) for part in pair]
    below = drop_below.numpy()
    return DenseForm(
        np.concatenate(parts, 1),
        np.array(widths),
        CODES[activation],
        (LEVELS / (LEVELS - below)).astype(np.float32),
        below.astype(np.uint16),
    )
