"""Push a box to a goal through a stiff contact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt, Le
from gymnasium.spaces import Box
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

SECONDS = 0.02  # of a step
STIFFEST = 5000.0  # N/m: beyond 2 / SECONDS² the contact of two masses of 1 kg is unstable
FRICTION = 1.0  # N s/m, of the box
FORCE = 5.0  # N, of an action of 1
GAP, GOAL = 0.2, 1.0  # m: first distance of the box from the pusher, and where it is to be


@dataclass(frozen=True)
class Pushing:
    """A pusher and a box of 1 kg each, on a line. States are their positions (m) and their speeds.

    While the pusher is beyond the surface of the box, the contact pushes them apart with the force k · depth, which is
    continuous, with a slope that jumps by the stiffness k (N/m). The force of the pusher is the action. The reward of a
    step is −0.02 times (the distance of the box from its goal)² + 0.01 a². The larger k is, the larger is the variance
    of pathwise gradients (Suh et al. 2022, arXiv 2202.00817, section 3; the numbers are our own).
    """

    stiffness: float
    observation_space: ClassVar[Box] = box(4)
    action_space: ClassVar[Box] = box(1)
    horizon: ClassVar[int] = 100
    terminates: ClassVar[bool] = True
    numbers: ClassVar[int] = 2

    def initial(self, uniform: Tensor) -> Tensor:
        """At rest, each position at most 0.05 m from 0 and from the gap."""
        pusher, bx = (0.1 * (uniform - 0.5)).unbind(-1)
        still = torch.zeros_like(pusher)
        return torch.stack([pusher, bx + GAP, still, still], -1)

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """As `System.step`."""
        (pusher, bx, pusher_speed, box_speed), action = states.unbind(-1), actions.squeeze(-1)
        contact = self.stiffness * (pusher - bx).relu()
        pusher_speed = pusher_speed + SECONDS * (FORCE * action - contact)
        box_speed = box_speed + SECONDS * (contact - FRICTION * box_speed)
        pusher, bx = pusher + SECONDS * pusher_speed, bx + SECONDS * box_speed
        rewards = -SECONDS * ((bx - GOAL).square() + 0.01 * action.square())
        return torch.stack([pusher, bx, pusher_speed, box_speed], -1), rewards

    def observe(self, states: Tensor) -> Tensor:
        """The state."""
        return states


@dataclass(frozen=True)
class PushingEnv(DifferentiableEnv):
    """The environment `pushing`."""

    label: ClassVar[str] = "pushing"
    stiffness: Annotated[float, Gt(0), Le(STIFFEST)]

    @property
    def system(self) -> Pushing:
        """Pusher and box."""
        return Pushing(self.stiffness)
