"""A reward that is a step function of the action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.system import Moved, box

EDGE = 1.0


class Heaviside:
    """One step whose reward is 1 for an action of at least 1, and 0 otherwise. The state is always 1.

    With a ~ N(μ, σ²) the expected reward is Φ((μ − 1) / σ), whose derivative by μ is the normal density φ((μ − 1) / σ)
    / σ. The derivative of the reward itself is 0 everywhere, so that the pathwise gradient is wrong, with a variance of
    0 (Suh et al. 2022, arXiv 2202.00817, section 3).
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
        action = actions.squeeze(-1)
        # with 0 · a the reward has a graph, through which the derivative is 0
        return states, torch.where(action >= EDGE, 1.0, 0.0).to(action.dtype) + 0.0 * action

    def observe(self, states: Tensor) -> Tensor:
        """The state."""
        return states


@dataclass(frozen=True)
class HeavisideEnv(DifferentiableEnv):
    """The environment `heaviside`."""

    label: ClassVar[str] = "heaviside"

    @property
    def system(self) -> Heaviside:
        """The step function."""
        return Heaviside()
