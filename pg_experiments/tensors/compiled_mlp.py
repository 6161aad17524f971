"""The perceptron of `stacked` for one time step of sparse observations, as one compiled loop.

A step of Pong has some 35 non-zero numbers for each of 16 screens. In torch it takes a dozen operations, whose time is
dominated by call overhead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from pg_experiments.tensors.compiled import compiled
from pg_experiments.tensors.dense_form import Layer
from pg_experiments.tensors.fused import Activation

NO_MASKS = np.empty((0, 0, 0, 0), dtype=np.float32)
# slope for negative numbers; NaN stands for the hyperbolic tangent
SLOPES: dict[Activation, float] = {"relu": 0.0, "leaky_relu": torch.nn.LeakyReLU().negative_slope, "tanh": math.nan}


class CompiledMLP:
    """The perceptrons of R learners. Outputs equal those of `stacked.perceptron` up to the order of summation."""

    def __init__(self, layers: Sequence[Layer], activation: Activation, scale: torch.Tensor | float) -> None:
        """Arguments as in `perceptron`."""
        weights = [weight.numpy(force=True) for weight, _ in layers]
        first, *later = weights
        (self.R, _, H), self.K = first.shape, weights[-1].shape[-1]
        self.first = first.reshape(-1, H)  # [R · D, H]
        self.later = np.zeros((len(later), self.R, H, max(H, self.K)), dtype=np.float32)
        self.biases = np.zeros((len(weights), self.R, max(H, self.K)), dtype=np.float32)
        for layer, weight in enumerate(later):
            self.later[layer, ..., : weight.shape[-1]] = weight
        for layer, (_, bias) in enumerate(layers):
            if bias is not None:
                self.biases[layer, :, : bias.shape[-1]] = bias.numpy(force=True)[:, 0]
        self.slope = np.float32(SLOPES[activation])
        scales = torch.as_tensor(scale, dtype=torch.float32).flatten().expand(self.R)
        self.scale = np.ascontiguousarray(scales.numpy(force=True))

    def __call__(
        self, columns: np.ndarray, values: np.ndarray, counts: np.ndarray, noise: np.ndarray | None
    ) -> np.ndarray:
        """Computes outputs [R, E, K].

        Args:
            columns: [nnz] int32, learner · D + column of each non-zero number, observations in order.
            values: [nnz] int8, the non-zero numbers.
            counts: [R · E] int64, number of non-zero numbers of each observation.
            noise: [R, E, L, H] float32, 1 for the hidden units that dropout keeps; None for no dropout.
        """
        logits = np.empty((self.R, len(counts) // self.R, self.K), dtype=np.float32)
        kept = NO_MASKS if noise is None else np.ascontiguousarray(noise)
        _perceptron(columns, values, counts, self.first, self.later, self.biases, self.slope, kept, self.scale, logits)
        return logits


@compiled(
    "int32[::1]", "int8[::1]", "int64[::1]",
    "float32[:, ::1]", "float32[:, :, :, ::1]", "float32[:, :, ::1]",
    "float32", "float32[:, :, :, ::1]", "float32[::1]", "float32[:, :, ::1]",
)  # fmt: skip
def _perceptron(columns, values, counts, first, later, biases, slope, kept, scale, logits):  # type: ignore[no-untyped-def]
    """Fill logits [R, E, K], from weights `first` [R · D, H] and `later` [L, R, H, max(H, K)], biases [L + 1, R, …]."""
    R, E, K = logits.shape
    H, depth = first.shape[1], len(later)
    x, y = np.empty(max(H, K), dtype=np.float32), np.empty(max(H, K), dtype=np.float32)
    n = 0
    for r in range(R):
        for e in range(E):
            for j in range(H):
                x[j] = biases[0, r, j]
            for i in range(n, n + counts[r * E + e]):
                column, value = columns[i], np.float32(values[i])
                for j in range(H):
                    x[j] += value * first[column, j]
            n += counts[r * E + e]
            for layer in range(depth):
                width = H if layer + 1 < depth else K
                for k in range(width):
                    y[k] = biases[layer + 1, r, k]
                for j in range(H):
                    z = x[j] * scale[r] * kept[r, e, layer, j] if kept.size else x[j]
                    a = np.tanh(z) if slope != slope else z if z > 0 else slope * z
                    for k in range(width):
                        y[k] += a * later[layer, r, j, k]
                x, y = y, x
            for k in range(K):
                logits[r, e, k] = x[k]
