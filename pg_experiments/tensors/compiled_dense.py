"""The perceptron of `stacked` for one dense observation, as functions that compiled loops call."""

from __future__ import annotations

import numpy as np

from pg_experiments.tensors.compiled import helper
from pg_experiments.tensors.networks import LEAKY_RELU, LEAKY_SLOPE, RELU

SLOPE = np.float32(LEAKY_SLOPE)
# of Eigen's `ptanh`: beyond the limit it is ±1; coefficients of x¹², x¹⁰, …, 1 and of x⁶, x⁴, …, 1
TANH_LIMIT = np.float32(7.90531110763549805)
TANH_OVER = tuple(map(np.float32, (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
)))  # fmt: skip
TANH_UNDER = tuple(map(np.float32, (
    1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03,
)))  # fmt: skip


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


@helper
def take_observation(observation, shift, factor, limit, r, x):  # type: ignore[no-untyped-def]
    """x = the observation of learner r as the network is given it; shift, factor and limit as in `DenseForm`."""
    if len(shift) == 0:
        for i in range(len(observation)):
            x[i] = observation[i]
        return
    for i in range(len(observation)):
        scaled = (observation[i] - shift[r, i]) * factor[r, i]
        x[i] = limit if scaled > limit else (-limit if scaled < -limit else scaled)


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
            x[j] = tanh(x[j])


@helper(reordered_sums=True)
def tanh(x):  # type: ignore[no-untyped-def]
    """tanh of a float32, within 5 units in the last place: the rational approximation of the library Eigen.

    The C library's takes 20 times as long, since a loop with it cannot use the vector unit.
    """
    x = -TANH_LIMIT if x < -TANH_LIMIT else TANH_LIMIT if x > TANH_LIMIT else x  # a NaN remains one
    square = x * x
    numerator, denominator = TANH_OVER[0], TANH_UNDER[0]
    for c in TANH_OVER[1:]:
        numerator = numerator * square + c
    for c in TANH_UNDER[1:]:
        denominator = denominator * square + c
    return x * numerator / denominator


HELPERS = (dense_outputs, take_observation, add_products, dot, drop, activate, tanh)
