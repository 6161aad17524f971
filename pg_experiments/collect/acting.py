"""A policy's network while it acts: carries the state of a recurrent network through the steps of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_experiments.tensors.networks import BoundNetwork
from pg_experiments.tensors.sequences import Sequences, SequenceSteps, sequence_steps


class Acting:
    """A bound network that is called once for each time step. Networks without a state are called as they are."""

    def __init__(self, network: BoundNetwork, states: Tensor) -> None:
        """`states` [R, E, S] are those before the first step; S is 0 for a network without a state."""
        self.network = network
        self.is_recurrent = states.shape[2] > 0
        self.first = self.states = states.detach()  # before the first step, and before the next one
        self.after = self.states  # after the step that was made last

    def __call__(self, observations: Tensor, noise: Tensor | None) -> Tensor:
        """Outputs [R, E, K] of one time step; `keep` or `begin` must follow."""
        if not self.is_recurrent:
            return self.network(observations, noise)
        self.after = torch.empty_like(self.states)
        return self.network(Sequences(observations, self.states, after=self.after), noise)

    def keep(self, alive: Tensor) -> None:
        """Takes the state after the step in the environments where `alive` [R, E] is True."""
        if self.is_recurrent:
            self.states = torch.where(alive[..., None], self.after, self.states)

    def begin(self, over: Tensor) -> None:
        """Takes the state after the step, and 0 in the environments where `over` [R, E] is True."""
        if self.is_recurrent:
            self.states = self.after.masked_fill(over[..., None], 0.0)

    def steps(self, observations: Tensor, over: Tensor | None = None) -> Tensor | SequenceSteps:
        """Observations [T, R, E, *shape] in the form that the network learns from; `over` as in `sequence_steps`."""
        return sequence_steps(observations, self.first, over) if self.is_recurrent else observations

    def finals(self, observations: Tensor, states: Tensor) -> Tensor | Sequences:
        """Final observations [R, M, *shape], with the states [R, M, S] in which they were made."""
        return Sequences(observations, states.detach()) if self.is_recurrent else observations
