"""Swing up a pendulum and balance it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

GRAVITY = 10.0  # 1/s², of the angle: g / l
TORQUE = 8.0  # 1/s², of an action of 1: not enough to lift the pendulum from the side, where gravity is 10
FRICTION = 0.1  # 1/s
SECONDS = 0.05  # of a step


class Pendulum:
    """A pendulum of one rigid rod. States are its angle from upright (radians) and its angular speed.

    θ″ = (g / l) sin θ − c θ′ + τ a, by the semi-implicit Euler method. The reward of a step is the height of the
    tip from 0 to 1, (1 + cos θ) / 2, minus 0.005 θ′² and 0.01 a². All of it is smooth.
    """

    observation_space = box(3)
    action_space = box(1, 1.0)
    horizon = 200
    terminates = False
    numbers = 2

    def initial(self, uniform: Tensor) -> Tensor:
        """Any angle, and a speed of at most 1, as in Gymnasium's Pendulum."""
        most = torch.tensor([math.pi, 1.0], dtype=uniform.dtype, device=uniform.device)
        return most * (2 * uniform - 1)

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """As `System.step`."""
        (angle, speed), action = states.unbind(-1), actions.squeeze(-1)
        speed = speed + SECONDS * (GRAVITY * angle.sin() - FRICTION * speed + TORQUE * action)
        angle = angle + SECONDS * speed
        rewards = 0.5 * (1 + angle.cos()) - 0.005 * speed.square() - 0.01 * action.square()
        return torch.stack([angle, speed], -1), rewards

    def observe(self, states: Tensor) -> Tensor:
        """cos θ, sin θ and θ′ / 8."""
        angle, speed = states.unbind(-1)
        return torch.stack([angle.cos(), angle.sin(), speed / 8], -1)


@dataclass(frozen=True)
class PendulumSwingUp(DifferentiableEnv):
    """The environment `pendulum_swing_up`."""

    label: ClassVar[str] = "pendulum_swing_up"

    @property
    def system(self) -> Pendulum:
        """The pendulum."""
        return Pendulum()
