"""The loops over time of `unroll`, compiled, for float32 on the CPU.

A step of torch takes some ten calls, whose overhead is larger than the time of the computation. The product with the
state is BLAS's, with so few rows that it uses one thread; its shape does not depend on the number of steps.
"""

from __future__ import annotations

import numpy as np

from pg_experiments.tensors import compiled_dense as dense
from pg_experiments.tensors import compiled_recurrent as recurrent_step
from pg_experiments.tensors.compiled import compiled
from pg_experiments.tensors.networks import TANH

activate, sigmoid = dense.activate, recurrent_step.sigmoid

NEVER = np.empty((0, 0, 0), dtype=np.bool_)  # no episode begins
ONE = np.float32(1.0)
HELPERS = (*dense.HELPERS, sigmoid)
STEPS = "float32[:, :, :, ::1]"


@compiled(
    STEPS, "float32[:, :, ::1]", "boolean[:, :, ::1]", "float32[:, :, ::1]", "float32[:, ::1]",
    STEPS, STEPS, STEPS, STEPS, STEPS,
    helpers=HELPERS,
    nogil=True,
)  # fmt: skip
def forward(of_x, states, fresh, of_state, bias, before, after, gates, candidates, recurrent):  # type: ignore[no-untyped-def]
    """Fills the last five arrays, which are those of `unroll.Steps`.

    Args:
        of_x: [R, T, E, 3S] x W + a.
        states: [R, E, S] before the first step.
        fresh: [R, T, E] whether the state before a step is 0, or `NEVER`.
        of_state, bias: [R, S, 3S] U and [R, 3S] b.
    """
    R, T, E, S = before.shape
    for r in range(R):
        for t in range(T):
            h, of_h = before[r, t], recurrent[r, t]
            for e in range(E):
                is_new = fresh.size > 0 and fresh[r, t, e]
                for s in range(S):
                    last = states[r, e, s] if t == 0 else after[r, t - 1, e, s]
                    h[e, s] = np.float32(0.0) if is_new else last
            np.dot(h, of_state[r], of_h)
            for e in range(E):
                for s in range(3 * S):
                    of_h[e, s] += bias[r, s]
                for s in range(2 * S):
                    gates[r, t, e, s] = of_x[r, t, e, s] + of_h[e, s]
            sigmoid(gates[r, t].reshape(E * 2 * S))
            for e in range(E):
                for s in range(S):
                    candidates[r, t, e, s] = of_x[r, t, e, 2 * S + s] + gates[r, t, e, s] * of_h[e, 2 * S + s]
            activate(candidates[r, t].reshape(E * S), TANH)
            for e in range(E):
                for s in range(S):
                    n = candidates[r, t, e, s]
                    after[r, t, e, s] = n + gates[r, t, e, S + s] * (h[e, s] - n)


@compiled(
    STEPS, "boolean[:, :, ::1]", "float32[:, :, ::1]", STEPS, STEPS, STEPS, STEPS, STEPS, STEPS,
    helpers=HELPERS,
    nogil=True,
)  # fmt: skip
def backward(gradient, fresh, of_state, before, gates, candidates, recurrent, of_x, of_h):  # type: ignore[no-untyped-def]
    """Fills `of_x` and `of_h` [R, T, E, 3S], the gradients of x W + a and of h U + b.

    `gradient` is that of the states after every step, [R, T, E, S]; the others are as in `forward`.
    """
    R, T, E, S = before.shape
    later, product = np.empty((E, S), dtype=np.float32), np.empty((E, S), dtype=np.float32)
    for r in range(R):
        later[:] = 0
        for t in range(T - 1, -1, -1):
            for e in range(E):
                for s in range(S):
                    g = gradient[r, t, e, s] + later[e, s]
                    reset, z, n = gates[r, t, e, s], gates[r, t, e, S + s], candidates[r, t, e, s]
                    of_n = g * (ONE - z) * (ONE - n * n)
                    of_r = of_n * recurrent[r, t, e, 2 * S + s] * reset * (ONE - reset)
                    of_z = g * (before[r, t, e, s] - n) * z * (ONE - z)
                    of_x[r, t, e, s], of_h[r, t, e, s] = of_r, of_r
                    of_x[r, t, e, S + s], of_h[r, t, e, S + s] = of_z, of_z
                    of_x[r, t, e, 2 * S + s], of_h[r, t, e, 2 * S + s] = of_n, of_n * reset
                    later[e, s] = g * z
            np.dot(of_h[r, t], of_state[r].T, product)
            for e in range(E):
                is_new = fresh.size > 0 and fresh[r, t, e]
                for s in range(S):
                    later[e, s] = np.float32(0.0) if is_new else later[e, s] + product[e, s]
