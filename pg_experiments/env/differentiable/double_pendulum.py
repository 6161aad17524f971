"""Keep the tip of a double pendulum high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from gymnasium.spaces import Box
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

GRAVITY = 9.81  # m/s²
TORQUE = 2.0  # N m, of an action of 1
START = 2.0  # radians from hanging, of both rods
SECONDS = 0.025  # of a step


@dataclass(frozen=True)
class DoublePendulum:
    """Two massless rods of 1 m with masses of 1 kg at their ends, and a torque at each rod.

    States are the angles of both rods from hanging down (radians), and their angular speeds, by the semi-implicit Euler
    method. The reward of a step is the height of the tip, −(cos θ₁ + cos θ₂) / 2, divided by the horizon H, so that a
    return is a mean from −1 to 1. Its motion is chaotic: the variance of pathwise gradients grows exponentially with H
    (Suh et al. 2022, arXiv 2202.00817, section 3; the numbers are our own).
    """

    horizon: int
    observation_space: ClassVar[Box] = box(6)
    action_space: ClassVar[Box] = box(2)
    terminates: ClassVar[bool] = True
    numbers: ClassVar[int] = 2

    def initial(self, uniform: Tensor) -> Tensor:
        """At rest, each angle at most 0.1 from 2."""
        angles = START + 0.2 * (uniform - 0.5)
        return torch.cat([angles, torch.zeros_like(angles)], -1)

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """As `System.step`."""
        first, second, first_speed, second_speed = states.unbind(-1)
        first_torque, second_torque = (TORQUE * actions).unbind(-1)
        sin, cos = (first - second).sin(), (first - second).cos()
        # the equations of motion, 2 θ₁″ + c θ₂″ = p and c θ₁″ + θ₂″ = q
        p = first_torque - sin * second_speed.square() - 2 * GRAVITY * first.sin()
        q = second_torque + sin * first_speed.square() - GRAVITY * second.sin()
        determinant = 2 - cos.square()
        first_speed = first_speed + SECONDS * (p - cos * q) / determinant
        second_speed = second_speed + SECONDS * (2 * q - cos * p) / determinant
        first, second = first + SECONDS * first_speed, second + SECONDS * second_speed
        rewards = -0.5 * (first.cos() + second.cos()) / self.horizon
        return torch.stack([first, second, first_speed, second_speed], -1), rewards

    def observe(self, states: Tensor) -> Tensor:
        """cos and sin of both angles, and both speeds / 8."""
        angles, speeds = states.chunk(2, -1)
        return torch.cat([angles.cos(), angles.sin(), speeds / 8], -1)


@dataclass(frozen=True)
class DoublePendulumEnv(DifferentiableEnv):
    """The environment `double_pendulum`."""

    label: ClassVar[str] = "double_pendulum"
    horizon: Annotated[int, Ge(1)]

    @property
    def system(self) -> DoublePendulum:
        """The double pendulum."""
        return DoublePendulum(self.horizon)
