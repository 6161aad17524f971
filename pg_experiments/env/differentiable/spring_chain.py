"""Bring a chain of masses and springs to rest: a linear-quadratic problem with an action for each mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from gymnasium.spaces import Box
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

STIFFNESS = 1.0  # N/m, of each spring
SPEEDS, FORCES = 0.1, 0.1  # weights of squared speeds and forces in the cost, beside 1 of squared positions
SECONDS = 0.1  # of a step


@dataclass(frozen=True)
class SpringChain:
    """n masses of 1 kg in a row, with a spring between neighbours and to a wall at both ends.

    States are n positions from rest (m) and n speeds (m/s), by the semi-implicit Euler method. Actions are the forces
    on each mass (N). The reward of a step is −0.1 times the mean over masses of x² + 0.1 v² + 0.1 a², of the state
    before the step. There is no friction. The optimal actions are linear in the state, by the Riccati equation.
    """

    masses: int
    horizon: ClassVar[int] = 50
    terminates: ClassVar[bool] = True

    @property
    def observation_space(self) -> Box:
        """The state."""
        return box(2 * self.masses)

    @property
    def action_space(self) -> Box:
        """A force without bounds for each mass."""
        return box(self.masses)

    @property
    def numbers(self) -> int:
        """One for each number of the state."""
        return 2 * self.masses

    def initial(self, uniform: Tensor) -> Tensor:
        """Positions and speeds from −1 to 1."""
        return 2 * uniform - 1

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """As `System.step`."""
        positions, speeds = states.chunk(2, -1)
        walls = torch.zeros_like(positions[..., :1])
        stretched = torch.cat([walls, positions, walls], -1).diff(dim=-1)  # of the n + 1 springs
        costs = positions.square() + SPEEDS * speeds.square() + FORCES * actions.square()
        speeds = speeds + SECONDS * (STIFFNESS * stretched.diff(dim=-1) + actions)
        positions = positions + SECONDS * speeds
        return torch.cat([positions, speeds], -1), -SECONDS * costs.mean(-1)

    def observe(self, states: Tensor) -> Tensor:
        """The state."""
        return states


@dataclass(frozen=True)
class SpringChainEnv(DifferentiableEnv):
    """The environment `spring_chain`."""

    label: ClassVar[str] = "spring_chain"
    masses: Annotated[int, Ge(1), Le(64)]

    @property
    def system(self) -> SpringChain:
        """The chain."""
        return SpringChain(self.masses)
