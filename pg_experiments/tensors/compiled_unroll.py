"""The loops over time of `unroll`, compiled, for float32 on the CPU.

A step of torch takes some ten calls, whose overhead is larger than the time of the computation. The product with the
state is BLAS's, with so few rows that it uses one thread; its shape does not depend on the number of steps.
"""

from __future__ import annotations

import numpy as np

from pg_experiments.tensors.compiled import compiled, helper

NEVER = np.empty((0, 0, 0), dtype=np.bool_)  # no episode begins
# of Eigen's `ptanh`: beyond the limit it is ±1; coefficients of x¹², x¹⁰, …, 1 and of x⁶, x⁴, …, 1
LIMIT = np.float32(7.90531110763549805)
OVER = tuple(map(np.float32, (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
)))  # fmt: skip
UNDER = tuple(map(np.float32, (
    1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03,
)))  # fmt: skip
HALF, ONE = np.float32(0.5), np.float32(1.0)


@helper(reordered_sums=True)
def tanh(x):  # type: ignore[no-untyped-def]
    """tanh of a float32, within 4 units in the last place: the rational approximation of the library Eigen.

    The C library's takes 20 times as long, since a loop with it cannot use the vector unit.
    """
    x = -LIMIT if x < -LIMIT else LIMIT if x > LIMIT else x  # a NaN remains one
    square = x * x
    numerator, denominator = OVER[0], UNDER[0]
    for c in OVER[1:]:
        numerator = numerator * square + c
    for c in UNDER[1:]:
        denominator = denominator * square + c
    return x * numerator / denominator


@helper
def activate(x):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        x[i] = tanh(x[i])


@helper
def sigmoid(x):  # type: ignore[no-untyped-def]
    """x -> σ(x) = (1 + tanh(x / 2)) / 2, in place."""
    for i in range(len(x)):
        x[i] = HALF + HALF * tanh(HALF * x[i])


HELPERS = (tanh, activate, sigmoid)
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
            activate(candidates[r, t].reshape(E * S))
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
