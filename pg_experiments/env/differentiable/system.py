"""Systems whose step is differentiable: batched over any leading axes, in any floating-point type."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from gymnasium.spaces import Box
from torch import Tensor

Moved = tuple[Tensor, Tensor]  # next states [..., S], and the rewards [...] of the step


class System(Protocol):
    """A deterministic system. The only random numbers of an episode are those of its initial state.

    Attributes:
        observation_space: of one system, float32 [D].
        action_space: of one system, float32 [A].
        horizon: steps of an episode.
        terminates: whether the task ends after these steps. Otherwise a time limit truncates it.
        numbers: U, uniform random numbers of an initial state.
    """

    @property
    def observation_space(self) -> Box: ...

    @property
    def action_space(self) -> Box: ...

    @property
    def horizon(self) -> int: ...

    @property
    def terminates(self) -> bool: ...

    @property
    def numbers(self) -> int: ...

    def initial(self, uniform: Tensor) -> Tensor:
        """Initial states [..., S] from uniform numbers [..., U] in [0, 1)."""

    def step(self, states: Tensor, actions: Tensor) -> Moved:
        """Moves systems by one step, with the graph from states and actions to the results.

        Args:
            states: [..., S].
            actions: [..., A], within the bounds of the action space.
        """

    def observe(self, states: Tensor) -> Tensor:
        """Observations [..., D] of states [..., S]."""


def box(size: int, bound: float = np.inf) -> Box:
    """The space of `size` numbers from −bound to bound."""
    return Box(-bound, bound, (size,), np.float32)
