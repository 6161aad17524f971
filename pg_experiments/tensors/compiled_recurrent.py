"""The recurrent network of `stacked_gru` for one observation, as functions that compiled loops call."""

from __future__ import annotations

import numpy as np

from pg_experiments.tensors import compiled_dense as dense
from pg_experiments.tensors.compiled import helper

add_products, dot, tanh = dense.add_products, dense.dot, dense.tanh
HALF, ONE = np.float32(0.5), np.float32(1.0)


@helper
def recurrent_outputs(parameters, widths, state, products, units):  # type: ignore[no-untyped-def]
    """Computes the outputs of one learner for one observation, and the state after it, as `unroll.step`.

    Args:
        parameters, widths: as in `DenseForm`, of one learner.
        state: [S], which is changed.
        products: [2, 3S], scratch memory.
        units: [2, largest width], with the observation in the first row; scratch memory.

    Returns:
        The row of `units` that has the outputs.
    """
    D, S, K = widths
    of_x, of_h = products[0], products[1]
    of_state, of_output = (D + 1) * 3 * S, (D + 1 + S + 1) * 3 * S  # places of parameters
    add_products(units[0, :D], parameters[:of_state], of_x)
    add_products(state, parameters[of_state:of_output], of_h)
    for j in range(2 * S):
        of_x[j] += of_h[j]
    gates, candidates = of_x[: 2 * S], of_x[2 * S :]
    sigmoid(gates)
    for j in range(S):
        candidates[j] += gates[j] * of_h[2 * S + j]
    for j in range(S):
        candidates[j] = tanh(candidates[j])
    for j in range(S):
        state[j] = candidates[j] + gates[S + j] * (state[j] - candidates[j])
    biases = of_output + S * K
    for k in range(K):
        units[1, k] = parameters[biases + k] + dot(state, parameters[of_output + k * S : of_output + (k + 1) * S])
    return 1


@helper
def sigmoid(x):  # type: ignore[no-untyped-def]
    """x -> σ(x) = (1 + tanh(x / 2)) / 2, in place."""
    for i in range(len(x)):
        x[i] = HALF + HALF * tanh(HALF * x[i])


HELPERS = (recurrent_outputs, sigmoid)
