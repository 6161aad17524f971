"""The optimal returns of linear-quadratic systems, by the Riccati equation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from pg_experiments.env.differentiable.system import System


class LinearQuadratic(NamedTuple):
    """s' = A s + B a with the costs z' H z of a step, z = (s, a)."""

    moves: Tensor  # [S, S + A], (A B)
    costs: Tensor  # [S + A, S + A], H


def linear_quadratic(system: System) -> LinearQuadratic:
    """The matrices of a system that is linear with quadratic costs, by its derivatives."""
    size = system.observation_space.shape[0]
    both = torch.zeros(size + system.action_space.shape[0], dtype=torch.float64)

    def step(z: Tensor) -> tuple[Tensor, Tensor]:
        return system.step(z[:size], z[size:])

    return LinearQuadratic(jacobian(lambda z: step(z)[0], both), -0.5 * hessian(lambda z: step(z)[1], both))


def gains(system: System) -> tuple[list[Tensor], Tensor]:
    """The optimal actions −K_t s of each step, and P [S, S] of the costs s' P s from the first step on.

    Backwards from P = 0: M = H + (A B)' P (A B), K = M_aa⁻¹ M_as, P = M_ss − M_sa K.
    """
    (moves, costs), size = linear_quadratic(system), system.observation_space.shape[0]
    found, P = [], torch.zeros(size, size, dtype=torch.float64)
    for _ in range(system.horizon):
        M = costs + moves.T @ P @ moves
        found.append(torch.linalg.solve(M[size:, size:], M[size:, :size]))
        P = M[:size, :size] - M[:size, size:] @ found[-1]
    return found[::-1], P


def optimal_return(system: System, states: Tensor) -> float:
    """The mean return of the optimal actions from initial states [N, S]."""
    _, P = gains(system)
    states = states.double()
    return -float((states @ P * states).sum(-1).mean())


def idle_return(system: System, states: Tensor) -> float:
    """The mean return without actions from initial states [N, S]."""
    total = torch.zeros(len(states))
    actions = torch.zeros(len(states), *system.action_space.shape)
    for _ in range(system.horizon):
        states, rewards = system.step(states, actions)
        total += rewards
    return float(total.mean())
