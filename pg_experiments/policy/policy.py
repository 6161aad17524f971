"""A policy of R learners: a network, and a head that maps its outputs to a distribution over actions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.policy.heads import Greedy, Head
from pg_experiments.tensors.networks import BoundNetwork, Compilable, CompiledStep, Network


class Policy(nn.Module):
    """π(a | s) of R learners.

    Dropout is active while acting, as in the text. Its masks are the network's noise. They are drawn outside and passed
    in, so that learning uses the log-probabilities of the same subnetwork that acted.
    """

    def __init__(self, network: Network, head: Head, *, observation_shape: tuple[int, ...], noisy: bool = True) -> None:
        """`noisy` is False for a policy that does not use its network's noise."""
        super().__init__()
        self.network = network
        self.head = head
        self.observation_shape = observation_shape
        self.has_noise = noisy and network.has_noise

    def greedy(self) -> Policy:
        """A policy with the same parameters that selects the most probable action, without dropout."""
        return Policy(self.network, Greedy(self.head), observation_shape=self.observation_shape, noisy=False)

    def bind(self, learners: Tensor | None = None) -> BoundNetwork:
        """The network of the learners with indices [R] (None: all): observations and noise to outputs [R, N, K]."""
        return self.network.bind(learners)

    @property
    def learners(self) -> int:
        """The number of stacked learners."""
        return len(next(self.parameters()))

    def acting(self) -> CompiledStep:
        """The network of all learners for one time step of sparse observations; invalid after a parameter change."""
        bound = self.bind()
        return (
            bound.compiled()
            if isinstance(bound, Compilable)
            else _DenseStep(bound, self.observation_shape, self.learners)
        )


class _DenseStep:
    """One time step of a network without a compiled form. Sparse observations are converted to dense ones."""

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
