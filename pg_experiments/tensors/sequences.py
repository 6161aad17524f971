"""Observations in the form that recurrent networks take: sequences, and the state before each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 64  # time steps whose products are computed at once, so that padding after them changes no bit


class Sequences(NamedTuple):
    """T consecutive steps of E environments of each learner.

    `after` is an output: where it is given, a recurrent network writes the state after the last step to it.
    """

    observations: Tensor  # [R, T · E, *shape] in order of time, then of environment
    states: Tensor  # [R, E, S] before the first step
    fresh: Tensor | None = None  # [R, T, E] bool: an episode begins with this step, in the state 0; None: nowhere
    after: Tensor | None = None  # [R, E, S]

    def changed(self, change: Callable[[Tensor], Tensor]) -> Sequences:
        """The same sequences of other observations."""
        return self._replace(observations=change(self.observations))


@dataclass(frozen=True)
class SequenceSteps:
    """Observations of a rollout, and the states of a recurrent network before its first step."""

    observations: Tensor  # [T, R, E, *shape]
    states: Tensor  # [R, E, S]
    fresh: Tensor | None  # [T, R, E] bool, as in `Sequences`

    def take(self, positions: Tensor, columns: int) -> Sequences:
        """The sequences of some columns.

        Args:
            positions: [R, T' · E'] indices into the flattened [T, R, E], of E' columns in order of time; T' may be
                larger than T, and entries after the end of a column are ignored.
            columns: E'.
        """
        E = self.observations.shape[2]
        first = positions[:, :columns] % E
        states = self.states.gather(1, first[..., None].expand(-1, -1, self.states.shape[2]))
        fresh = None
        if self.fresh is not None:
            fresh = self.fresh.flatten()[positions].unflatten(1, (-1, columns))
        return Sequences(self.of_steps(positions), states, fresh)

    def of_steps(self, positions: Tensor) -> Tensor:
        """The observations [R, N, *shape] at positions [R, N], for networks without a state."""
        rest = self.observations.shape[3:]
        found: Tensor = self.observations.reshape(-1, *rest).index_select(0, positions.flatten())
        return found.view(*positions.shape, *rest)


def padded_length(steps: int) -> int:
    """The number of steps, rounded up to whole blocks."""
    return BLOCK * -(-steps // BLOCK)


def sequence_steps(observations: Tensor, states: Tensor, over: Tensor | None) -> SequenceSteps:
    """The observations [T, R, E, *shape] of a rollout.

    Args:
        observations: [T, R, E, *shape].
        states: [R, E, S] before the first step.
        over: [T, R, E] bool: an episode ends with this step, and the next one begins after it; None: no column has
            more than one episode.
    """
    fresh = None if over is None else torch.cat([torch.zeros_like(over[:1]), over[:-1]])
    return SequenceSteps(observations, states.detach(), fresh)
