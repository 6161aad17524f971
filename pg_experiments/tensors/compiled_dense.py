"""The perceptron of `stacked` for one dense observation, as functions that compiled loops call."""

from __future__ import annotations

import math

import numpy as np

from pg_experiments.tensors.compiled import helper
from pg_experiments.tensors.networks import LEAKY_RELU, LEAKY_SLOPE, RELU

SLOPE = np.float32(LEAKY_SLOPE)


@helper
def dense_outputs(parameters, widths, activation, scale, kept, units):  # type: ignore[no-untyped-def]
    """Computes the outputs of one learner for one observation.

    Args:
        parameters, widths, activation, scale: as in `DenseForm`, of one learner.
        kept: [L · H] bool, the hidden units that dropout keeps; empty for no dropout.
        units: [2, largest width], with the observation in the first row; scratch memory.

    Returns:
        The row of `units` that has the outputs.
    """
    place, row, hidden = 0, 0, len(widths) - 2
    for layer in range(hidden):
        inputs, outputs = widths[layer], widths[layer + 1]
        add_products(units[row, :inputs], parameters[place : place + (inputs + 1) * outputs], units[1 - row, :outputs])
        place += (inputs + 1) * outputs
        row = 1 - row
        if len(kept):
            drop(units[row, :outputs], scale, kept[layer * outputs : (layer + 1) * outputs])
        activate(units[row, :outputs], activation)
    inputs, outputs = widths[hidden], widths[hidden + 1]
    biases = place + inputs * outputs
    for k in range(outputs):
        weights = parameters[place + k * inputs : place + (k + 1) * inputs]
        units[1 - row, k] = parameters[biases + k] + dot(units[row, :inputs], weights)
    return 1 - row


@helper(reordered_sums=True)
def add_products(x, parameters, y):  # type: ignore[no-untyped-def]
    """y = x · W + b, with W [inputs, outputs] and b [outputs] one after the other in `parameters`."""
    n = len(y)
    for j in range(n):
        y[j] = parameters[len(x) * n + j]
    for i in range(len(x)):
        weights = parameters[i * n : (i + 1) * n]
        for j in range(n):
            y[j] += x[i] * weights[j]


@helper(reordered_sums=True)
def dot(x, y):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


@helper
def drop(x, scale, kept):  # type: ignore[no-untyped-def]
    for j in range(len(x)):
        x[j] = x[j] * scale * np.float32(kept[j])


@helper
def activate(x, activation):  # type: ignore[no-untyped-def]
    if activation == RELU:
        for j in range(len(x)):
            x[j] = np.float32(0.0) if x[j] < 0 else x[j]
    elif activation == LEAKY_RELU:
        for j in range(len(x)):
            x[j] = x[j] * SLOPE if x[j] < 0 else x[j]
    else:
        for j in range(len(x)):
            x[j] = math.tanh(x[j])


HELPERS = (dense_outputs, add_products, dot, drop, activate)
