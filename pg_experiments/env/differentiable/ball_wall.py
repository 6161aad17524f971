"""Throw a ball over a wall."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

GRAVITY = 9.81  # m/s²
SPEED = 10.0  # m/s, of the throw
WALL = 5.0  # m, distance of the wall
HEIGHT = 3.0  # m, of the wall


class BallWall:
    """One throw. The action is its angle (radians), and the reward the distance (m) at which the ball comes to rest.

    A ball that is below the top of the wall when it is there stays at the wall, 5 m away. Any other lands at
    (v² / g) sin 2α. The angle is limited to 0 to π / 2, between which the distance is continuous except for two angles,
    50.1° and 70.9°, that just clear the wall. The pathwise gradient does not see these jumps (Suh et al. 2022, arXiv
    2202.00817, section 3, whose problem this is with numbers of our own). The state is always 1.
    """

    observation_space = box(1)
    action_space = box(1)
    horizon = 1
    terminates = True
    numbers = 0

    def initial(self, uniform: Tensor) -> Tensor:
        """1."""
        return uniform.new_ones((*uniform.shape[:-1], 1))

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """As `System.step`."""
        angle = actions.squeeze(-1).clamp(0, 0.5 * math.pi)
        distance = SPEED**2 / GRAVITY * (2 * angle).sin()
        # height at the wall, x tan α − g x² / (2 v² cos² α), times cos² α, which may be 0
        cos, sin = angle.cos(), angle.sin()
        above = WALL * sin * cos - GRAVITY * WALL**2 / (2 * SPEED**2) - HEIGHT * cos.square()
        is_stopped = (distance >= WALL) & (above < 0)
        return states, torch.where(is_stopped, WALL, distance)

    def observe(self, states: Tensor) -> Tensor:
        """The state."""
        return states


@dataclass(frozen=True)
class BallWallEnv(DifferentiableEnv):
    """The environment `ball_wall`."""

    label: ClassVar[str] = "ball_wall"

    @property
    def system(self) -> BallWall:
        """The throw."""
        return BallWall()
