"""Swing up a pole on a cart and balance it in the middle of the track."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

GRAVITY = 9.8  # m/s²
CART, POLE = 1.0, 0.1  # masses in kg
HALF_LENGTH = 0.5  # m, of the pole
FORCE = 10.0  # N, of an action of 1
FRICTION = 0.5  # N s/m, of the cart
SECONDS = 0.04  # of a step


class CartPole:
    """A pole on a cart. States are position and speed of the cart, angle from upright (radians) and angular speed.

    The equations are those of Barto, Sutton and Anderson (1983) as in Gymnasium's CartPole, with friction of the cart,
    a force of any size up to 10 N and no end of the track, by the semi-implicit Euler method. The reward of a step is
    (1 + cos θ) / 2 − 0.02 x² − 0.002 θ′² − 0.01 a². All of it is smooth.
    """

    observation_space = box(5)
    action_space = box(1, 1.0)
    horizon = 150
    terminates = False
    numbers = 4

    def initial(self, uniform: Tensor) -> Tensor:
        """Hanging in the middle, each number at most 0.1 from rest."""
        hanging = torch.tensor([0.0, 0.0, math.pi, 0.0], dtype=uniform.dtype, device=uniform.device)
        return hanging + 0.2 * (uniform - 0.5)

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """As `System.step`."""
        (x, x_speed, angle, speed), action = states.unbind(-1), actions.squeeze(-1)
        sin, cos = angle.sin(), angle.cos()
        total, moment = CART + POLE, POLE * HALF_LENGTH
        push = (FORCE * action - FRICTION * x_speed + moment * speed.square() * sin) / total
        inertia = HALF_LENGTH * (4 / 3 - POLE / total * cos.square())
        acceleration = (GRAVITY * sin - cos * push) / inertia
        x_speed = x_speed + SECONDS * (push - moment / total * acceleration * cos)
        speed = speed + SECONDS * acceleration
        x, angle = x + SECONDS * x_speed, angle + SECONDS * speed
        rewards = 0.5 * (1 + angle.cos()) - 0.02 * x.square() - 0.002 * speed.square() - 0.01 * action.square()
        return torch.stack([x, x_speed, angle, speed], -1), rewards

    def observe(self, states: Tensor) -> Tensor:
        """x, x′, cos θ, sin θ and θ′ / 8."""
        x, x_speed, angle, speed = states.unbind(-1)
        return torch.stack([x, x_speed, angle.cos(), angle.sin(), speed / 8], -1)


@dataclass(frozen=True)
class CartPoleSwingUp(DifferentiableEnv):
    """The environment `cartpole_swing_up`."""

    label: ClassVar[str] = "cartpole_swing_up"

    @property
    def system(self) -> CartPole:
        """The cart with its pole."""
        return CartPole()
