"""The base class of networks around another network."""

from __future__ import annotations

import numpy as np
from torch import nn

from pg_experiments.tensors.networks import Network, as_compilable


class WrappedNetwork(nn.Module):
    """A network with the outputs and the noise of the network inside of it.

    A subclass adds `bind`. One that adds `dense_form`, too, has a compiled form where the inner network has one.
    """

    network: Network

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.outputs, self.noise_shape = network.outputs, network.noise_shape
        compilable = as_compilable(network)
        self.has_dense_form = compilable is not None
        self.inputs = 0 if compilable is None else compilable.inputs

    @property
    def has_noise(self) -> bool:
        """Whether the inner network has noise."""
        return self.network.has_noise

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """As `Network.draw_noise`."""
        return self.network.draw_noise(learner, stream, count)
