"""The dense perceptrons of `stacked` and their gradient, as two compiled loops over blocks of steps.

A block of a learner passes through all layers while its units are in the processor's cache. Its products are those of
BLAS, with so few rows that BLAS uses one thread; learners are divided among threads instead.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from pg_experiments.tensors import compiled_dense as dense
from pg_experiments.tensors.compiled import compiled, helper
from pg_experiments.tensors.networks import LEAKY_RELU, LEAKY_SLOPE, RELU
from pg_experiments.tensors.perceptron_memory import Stored, Widths
from pg_experiments.tensors.threads import for_learners

activate = dense.activate
SLOPE = np.float32(LEAKY_SLOPE)
LARGEST = 2**18  # of rows · inputs · outputs in a product; with more, OpenBLAS uses several threads
NO_MASKS = np.empty((0, 0, 0, 0), dtype=np.bool_)


def forward(
    x: Tensor, widths: Widths, parameters: Stored, activation: int, masks: Tensor | None, scale: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Units [R, L, N, H] of all hidden layers, and outputs [R, N, K].

    Args:
        x: [R, N, inputs] float32 on the CPU, as all others.
        widths, parameters: of R perceptrons.
        activation: RELU, LEAKY_RELU or TANH.
        masks: [R, N, L, H], True or 1 for the units that dropout keeps; None for no dropout.
        scale: factor of a kept unit; a number, or [R, 1, 1].
    """
    R, N, _ = x.shape
    units, outputs = torch.empty(R, widths.layers, N, widths.hidden), torch.empty(R, N, widths.outputs)
    arrays = (_array(x), widths.each, *parameters, activation, *_dropout(R, masks, scale))
    for_learners(_forward, R, N * widths.products, *arrays, units.numpy(), outputs.numpy())
    return units, outputs


def backward(
    gradient: Tensor,
    x: Tensor,
    widths: Widths,
    parameters: Stored,
    units: Tensor,
    found: Stored,
    activation: int,
    masks: Tensor | None,
    scale: Tensor | float,
    *,
    of_input: bool = False,
) -> Tensor | None:
    """Adds the gradient of the parameters to `found`. Returns that of the input, if it is wanted.

    `gradient` is [R, N, K], of the outputs; `units` are those of `forward`, and the others as there. `found` may be
    NOT_WANTED.
    """
    R, N, inputs = x.shape
    of_x = torch.empty(R, N if of_input else 0, inputs)
    settings = (widths.each, *parameters, activation, *_dropout(R, masks, scale))
    arrays = (_array(gradient), _array(x), *settings, units.numpy())
    for_learners(_backward, R, 2 * N * widths.products, *arrays, *found, of_x.numpy())
    return of_x if of_input else None


def _array(x: Tensor) -> np.ndarray:
    array: np.ndarray = x.detach().contiguous().numpy()
    return array


@functools.cache
def _kept(R: int) -> np.ndarray:
    """Scales [R] without dropout."""
    return np.ones(R, dtype=np.float32)


def _dropout(R: int, masks: Tensor | None, scale: Tensor | float) -> tuple[np.ndarray, np.ndarray]:
    """Scales [R], and masks [R, N, L, H] bool, of size 0 for no dropout."""
    if masks is None:
        return _kept(R), NO_MASKS
    scales = torch.as_tensor(scale, dtype=torch.float32).flatten().expand(R)
    return _array(scales), _array(masks.bool())


@helper
def block_rows(widths):  # type: ignore[no-untyped-def]
    """Rows of a block: as many as the largest product may have."""
    largest = 1
    for layer in range(len(widths) - 1):
        largest = max(largest, widths[layer] * widths[layer + 1])
    return max(1, LARGEST // max(largest, 4096))


@helper
def add_biases(y, biases):  # type: ignore[no-untyped-def]
    for n in range(len(y)):
        for j in range(len(biases)):
            y[n, j] += biases[j]


@helper
def drop_units(y, kept, scale):  # type: ignore[no-untyped-def]
    for n in range(len(y)):
        for j in range(y.shape[1]):
            y[n, j] = y[n, j] * np.float32(kept[n, j]) * scale


@helper
def through_activation(gradient, activated, activation):  # type: ignore[no-untyped-def]
    """Multiplies a gradient by the derivative of the activation, from the activated units."""
    for i in range(len(gradient)):
        a = activated[i]
        if activation == RELU:
            gradient[i] = np.float32(0.0) if a <= 0 else gradient[i]
        elif activation == LEAKY_RELU:
            gradient[i] = gradient[i] * SLOPE if a <= 0 else gradient[i]
        else:
            gradient[i] *= np.float32(1.0) - a * a


@helper
def add_all(total, values):  # type: ignore[no-untyped-def]
    for i in range(len(total)):
        total[i] += values[i]


@helper
def add_columns(total, rows):  # type: ignore[no-untyped-def]
    for n in range(len(rows)):
        for j in range(len(total)):
            total[j] += rows[n, j]


HELPERS = (
    *dense.HELPERS, block_rows, add_biases, drop_units, through_activation, add_all, add_columns,
)  # fmt: skip


@compiled(
    "int64", "int64",
    "float32[:, :, ::1]", "int64[::1]", "float32[::1]", "int64[:, ::1]", "int64[:, ::1]",
    "int64", "float32[::1]", "boolean[:, :, :, ::1]",
    "float32[:, :, :, ::1]", "float32[:, :, ::1]",
    helpers=HELPERS,
    nogil=True,
)  # fmt: skip
def _forward(  # type: ignore[no-untyped-def]
    first, last, x, widths, parameters, places, strides, activation, scale, kept, units, outputs
):
    """Fills units and outputs of the learners from `first` to before `last`; arguments as in `forward`."""
    N, depth = x.shape[1], len(widths) - 1
    rows = block_rows(widths)
    for r in range(first, last):
        for start in range(0, N, rows):
            stop = min(N, start + rows)
            y = x[r, start:stop]
            for layer in range(depth):
                inputs, width = widths[layer], widths[layer + 1]
                place, bias = places[0, layer] + r * strides[0, layer], places[1, layer] + r * strides[1, layer]
                weights = parameters[place : place + inputs * width].reshape((inputs, width))
                z = outputs[r, start:stop] if layer + 1 == depth else units[r, layer, start:stop]
                np.dot(y, weights, z)
                add_biases(z, parameters[bias : bias + width])
                if layer + 1 < depth:
                    if kept.size:
                        drop_units(z, kept[r, start:stop, layer], scale[r])
                    activate(z.reshape(z.size), activation)
                y = z


@compiled(
    "int64", "int64",
    "float32[:, :, ::1]", "float32[:, :, ::1]", "int64[::1]", "float32[::1]", "int64[:, ::1]", "int64[:, ::1]",
    "int64", "float32[::1]", "boolean[:, :, :, ::1]",
    "float32[:, :, :, ::1]", "float32[::1]", "int64[:, ::1]", "int64[:, ::1]", "float32[:, :, ::1]",
    helpers=HELPERS,
    nogil=True,
)  # fmt: skip
def _backward(  # type: ignore[no-untyped-def]
    first, last, of_outputs, x, widths, parameters, places, strides, activation, scale, kept, units,
    found, found_places, found_strides, of_x,
):  # fmt: skip
    """Adds the gradient of the parameters to `found`, for some learners as in `_forward`.

    Fills `of_x` [R, N, inputs] with that of the input; [R, 0, inputs] where it is not wanted. `found` is empty where
    that of the parameters is not.
    """
    N, depth = x.shape[1], len(widths) - 1
    rows = block_rows(widths)
    widest = 0
    for width in widths:
        widest = max(widest, width)
    of_units, of_weights = np.empty((2, rows * widest), dtype=np.float32), np.empty(widest * widest, dtype=np.float32)
    for r in range(first, last):
        for start in range(0, N, rows):
            stop = min(N, start + rows)
            gradient = of_outputs[r, start:stop]
            for layer in range(depth - 1, -1, -1):
                inputs, width = widths[layer], widths[layer + 1]
                y = x[r, start:stop] if layer == 0 else units[r, layer - 1, start:stop]
                if found.size > 0:
                    product = of_weights[: inputs * width]
                    np.dot(y.T, gradient, product.reshape((inputs, width)))
                    place = found_places[0, layer] + r * found_strides[0, layer]
                    add_all(found[place : place + inputs * width], product)
                    place = found_places[1, layer] + r * found_strides[1, layer]
                    add_columns(found[place : place + width], gradient)
                if layer == 0 and of_x.size == 0:
                    continue
                place = places[0, layer] + r * strides[0, layer]
                weights = parameters[place : place + inputs * width].reshape((inputs, width))
                through = of_units[layer % 2, : (stop - start) * inputs]
                before = through.reshape((stop - start, inputs)) if layer else of_x[r, start:stop]
                np.dot(gradient, weights.T, before)
                if layer:
                    through_activation(through, y.reshape(y.size), activation)
                    if kept.size:
                        drop_units(before, kept[r, start:stop, layer - 1], scale[r])
                    gradient = before
