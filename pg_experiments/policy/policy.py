"""A policy of R learners: a network, and a head that turns the network's outputs into a distribution over actions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.policy.heads import Greedy, Head
from pg_experiments.tensors.networks import BoundNetwork, Compilable, CompiledStep, Network


class Policy(nn.Module):
    """π(a | s) of R learners.

    Dropout is active while acting, as in the text. Its masks are the network's noise: they are drawn outside and
    handed in, so that the log-probabilities that are learned from are those of the very network that acted.
    """

    def __init__(self, network: Network, head: Head, *, observation_shape: tuple[int, ...], noisy: bool = True) -> None:
        """`noisy` is False for a policy that leaves its network's noise out."""
        super().__init__()
        self.network = network
        self.head = head
        self.observation_shape = observation_shape
        self.has_noise = noisy and network.has_noise

    def greedy(self) -> Policy:
        """The same parameters, but every action is the most probable one, and no unit is dropped."""
        return Policy(self.network, Greedy(self.head), observation_shape=self.observation_shape, noisy=False)

    def bind(self, learners: Tensor | None = None) -> BoundNetwork:
        """The network of the learners [R] by index (None: of all): observations and noise to outputs [R, N, K]."""
        return self.network.bind(learners)

    @property
    def learners(self) -> int:
        """How many learners are stacked."""
        return len(next(self.parameters()))

    def acting(self) -> CompiledStep:
        """The network of all learners for one time step of sparse observations, until a parameter changes."""
        bound = self.bind()
        return (
            bound.compiled()
            if isinstance(bound, Compilable)
            else _DenseStep(bound, self.observation_shape, self.learners)
        )


class _DenseStep:
    """A time step of sparse observations for a network without a compiled form: they are made dense."""

    def __init__(self, network: BoundNetwork, shape: tuple[int, ...], learners: int) -> None:
        self.network = network
        self.shape = shape
        self.learners = learners

    def __call__(
        self, columns: np.ndarray, values: np.ndarray, counts: np.ndarray, noise: np.ndarray | None
    ) -> np.ndarray:
        size = int(np.prod(self.shape))
        dense = np.zeros((len(counts), size), dtype=np.float32)
        dense[np.repeat(np.arange(len(counts)), counts), columns % size] = values
        observations = torch.from_numpy(dense).view(self.learners, -1, *self.shape)
        outputs = self.network(observations, None if noise is None else torch.from_numpy(noise))
        return outputs.numpy(force=True)
