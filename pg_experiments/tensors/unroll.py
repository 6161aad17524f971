"""Gated recurrent units of R learners over time, with one hand-written gradient.

Automatic differentiation through time records some twenty operations for each step. Here a step takes four operations
forward and three backward: everything that does not depend on the step before is computed for all steps at once. For
float32 on the CPU the loops are compiled (`compiled_unroll`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg_experiments.tensors import compiled_unroll
from pg_experiments.tensors.fused import can_fuse
from pg_experiments.tensors.sequences import BLOCK


class Cell(NamedTuple):
    """Parameters of the units; gates r, z, n side by side, in the order of `torch.nn.GRU`."""

    of_input: Tensor  # [R, D, 3S]
    input_bias: Tensor  # [R, 1, 3S]
    of_state: Tensor  # [R, S, 3S]
    state_bias: Tensor  # [R, 1, 3S]


def step(x: Tensor, h: Tensor, cell: Cell) -> Tensor:
    """The state after one step (Cho et al. 2014, in the form of `torch.nn.GRU`).

    r = σ(x Wr + ar + h Ur + br), z = σ(x Wz + az + h Uz + bz), n = tanh(x Wn + an + r (h Un + bn)),
    h' = (1 − z) n + z h.

    Args:
        x: [R, E, D] observations.
        h: [R, E, S] the state before.
        cell: the parameters.
    """
    S = h.shape[2]
    of_x, of_h = torch.baddbmm(cell.input_bias, x, cell.of_input), torch.baddbmm(cell.state_bias, h, cell.of_state)
    r, z = (of_x[..., : 2 * S] + of_h[..., : 2 * S]).sigmoid().split(S, 2)
    n = torch.addcmul(of_x[..., 2 * S :], r, of_h[..., 2 * S :]).tanh()
    return torch.lerp(n, h, z)


def unroll(x: Tensor, states: Tensor, fresh: Tensor | None, cell: Cell) -> Tensor:
    """The states [R, T · E, S] after every step. The first states are constants.

    Args:
        x: [R, T · E, D] observations in order of time, then of environment.
        states: [R, E, S] before the first step.
        fresh: [R, T, E] bool: the state before this step is 0; None: nowhere.
        cell: the parameters.
    """
    if torch.is_grad_enabled():
        found: Tensor = _Unroll.apply(x, states, fresh, *cell)  # type: ignore[no-untyped-call]
        return found
    return _forward(x, states, fresh, cell).after.flatten(1, 2)


class _Steps(NamedTuple):
    """What the gradient needs of every step, [R, T, E, *rest]."""

    before: Tensor  # [R, T, E, S] states
    after: Tensor  # [R, T, E, S] states
    gates: Tensor  # [R, T, E, 2S] r and z
    candidates: Tensor  # [R, T, E, S] n
    recurrent: Tensor  # [R, T, E, 3S] h U + b


def _forward(x: Tensor, states: Tensor, fresh: Tensor | None, cell: Cell) -> _Steps:
    (R, E, S), T = states.shape, x.shape[1] // states.shape[1]
    of_x = torch.cat([torch.baddbmm(cell.input_bias, x[:, part], cell.of_input) for part in _parts(T, E)], 1)
    of_x = of_x.view(R, T, E, 3 * S)
    if can_fuse(x):
        return _forward_compiled(of_x, states, fresh, cell)
    h = x.new_empty(R, T + 1, E, S)
    h[:, 0] = states
    gates, n, of_h = x.new_empty(R, T, E, 2 * S), x.new_empty(R, T, E, S), x.new_empty(R, T, E, 3 * S)
    keep = None if fresh is None else (~fresh).to(x.dtype)[..., None]
    begins = [False] * T if fresh is None else fresh.any(2).any(0).tolist()
    r, z = gates[..., :S].unbind(1), gates[..., S:].unbind(1)
    x_gates, x_n = of_x[..., : 2 * S].unbind(1), of_x[..., 2 * S :].unbind(1)
    h_gates, h_n = of_h[..., : 2 * S].unbind(1), of_h[..., 2 * S :].unbind(1)
    hs, ns, each_gates, each_of_h = h.unbind(1), n.unbind(1), gates.unbind(1), of_h.unbind(1)
    for t in range(T):
        before = hs[t]
        if begins[t]:
            assert keep is not None
            before = before * keep[:, t]
        torch.baddbmm(cell.state_bias, before, cell.of_state, out=each_of_h[t])
        torch.add(x_gates[t], h_gates[t], out=each_gates[t]).sigmoid_()
        torch.addcmul(x_n[t], r[t], h_n[t], out=ns[t]).tanh_()
        torch.lerp(ns[t], before, z[t], out=hs[t + 1])
    before = h[:, :-1] if keep is None else h[:, :-1] * keep
    return _Steps(before, h[:, 1:], gates, n, of_h)


def _forward_compiled(of_x: Tensor, states: Tensor, fresh: Tensor | None, cell: Cell) -> _Steps:
    R, T, E, _ = of_x.shape
    S = states.shape[2]
    steps = _Steps(*(of_x.new_empty(R, T, E, width) for width in (S, S, 2 * S, S, 3 * S)))
    arguments = (of_x, states, cell.of_state, cell.state_bias[:, 0])
    x, first, of_state, bias = (array.detach().contiguous().numpy() for array in arguments)
    compiled_unroll.forward(x, first, _array(fresh), of_state, bias, *(array.numpy() for array in steps))
    return steps


def _array(fresh: Tensor | None) -> np.ndarray:
    array: np.ndarray = compiled_unroll.NEVER if fresh is None else fresh.contiguous().numpy()
    return array


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, states: Tensor, fresh: Tensor | None, *parameters: Tensor) -> Tensor:
        cell = Cell(*parameters)
        steps = _forward(x, states, fresh, cell)
        ctx.save_for_backward(x, *cell, *steps)
        ctx.fresh = fresh
        return steps.after.flatten(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, *saved = ctx.saved_tensors
        cell, steps = Cell(*saved[:4]), _Steps(*saved[4:])
        of_x, of_h = _backward(gradient.view(steps.after.shape), ctx.fresh, cell, steps)
        T, E = steps.after.shape[1:3]
        before = steps.before.flatten(1, 2)
        of_input, of_state = _summed(x, of_x, T, E), _summed(before, of_h, T, E)
        of_input_bias, of_state_bias = _summed(None, of_x, T, E), _summed(None, of_h, T, E)
        of_observations = torch.bmm(of_x, cell.of_input.transpose(1, 2)) if ctx.needs_input_grad[0] else None
        return of_observations, None, None, of_input, of_input_bias, of_state, of_state_bias


def _backward(gradient: Tensor, fresh: Tensor | None, cell: Cell, steps: _Steps) -> tuple[Tensor, Tensor]:
    """The gradients [R, T · E, 3S] of x W + a and of h U + b, from those of the states, [R, T, E, S]."""
    R, T, E, S = gradient.shape
    if can_fuse(gradient):
        found_x, found_h = torch.empty(R, T, E, 3 * S), torch.empty(R, T, E, 3 * S)
        saved = (steps.before, steps.gates, steps.candidates, steps.recurrent)
        arrays = [array.numpy() for array in (cell.of_state.contiguous(), *saved, found_x, found_h)]
        compiled_unroll.backward(gradient.contiguous().numpy(), _array(fresh), *arrays)
        return found_x.flatten(1, 2), found_h.flatten(1, 2)
    r, z = steps.gates.split(S, 3)
    n, recurrent_n = steps.candidates, steps.recurrent[..., 2 * S :]
    of_n = (1 - z) * (1 - n * n)  # ∂h'/∂(x Wn + an)
    slopes = gradient.new_empty(R, T, E, 3, S)  # ∂h'/∂(h U + b)
    torch.mul(of_n, recurrent_n * r * (1 - r), out=slopes[..., 0, :])
    torch.mul(steps.before - n, z * (1 - z), out=slopes[..., 1, :])
    torch.mul(of_n, r, out=slopes[..., 2, :])
    of_h, of_states = torch.empty_like(slopes), torch.empty_like(gradient)
    transposed = cell.of_state.transpose(1, 2)
    begins = [False] * T if fresh is None else fresh.any(2).any(0).tolist()
    each = [part.unbind(1) for part in (gradient, of_states, of_states[..., None, :], slopes, of_h, z)]
    flat = of_h.flatten(3).unbind(1)
    later = torch.zeros_like(gradient[:, 0])  # the gradient through the steps after
    for t in reversed(range(T)):
        of_output, total, repeated, slope, found, kept = (part[t] for part in each)
        torch.add(of_output, later, out=total)
        torch.mul(repeated, slope, out=found)
        later = torch.baddbmm(total * kept, flat[t], transposed)
        if begins[t]:
            assert fresh is not None
            later = later.masked_fill(fresh[:, t, :, None], 0.0)
    of_x = of_h.clone()
    torch.mul(of_states, of_n, out=of_x[..., 2, :])
    return of_x.view(R, T * E, 3 * S), of_h.view(R, T * E, 3 * S)


def _parts(T: int, E: int) -> Iterator[slice]:
    """The steps of each block of time."""
    return (slice(start * E, min(T, start + BLOCK) * E) for start in range(0, T, BLOCK))


def _summed(x: Tensor | None, gradient: Tensor, T: int, E: int) -> Tensor:
    """xᵀ · gradient, [R, N, D] and [R, N, K] -> [R, D, K], block by block; the sum [R, 1, K] where x is None."""
    total: Tensor | None = None
    for part in _parts(T, E):
        rows = gradient[:, part]
        found = rows.sum(1, keepdim=True) if x is None else torch.bmm(x[:, part].transpose(1, 2), rows)
        total = found if total is None else total.add_(found)
    assert total is not None
    return total
