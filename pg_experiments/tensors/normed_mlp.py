"""R perceptrons with layer normalisation (Ba, Kiros & Hinton 2016) of their hidden layers.

A hidden layer is linear map, normalisation, dropout, activation, in this order. It is evaluated with PyTorch's
operations and differentiated automatically; there is no compiled form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pg_experiments.tensors.networks import Observations
from pg_experiments.tensors.stacked import BoundMLP, StackedMLP, flat, perceptron
from pg_experiments.tensors.wrapped import WrappedNetwork

Norm = Literal["none", "layer", "batch"]

EPSILON = 1e-5  # added to variances; torch's default


@dataclass(frozen=True)
class BoundNormedMLP:
    """The perceptrons of R learners; gain and offset are [R, L, H]."""

    network: BoundMLP
    gain: Tensor
    offset: Tensor

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """Outputs [R, N, K] of observations [R, N, *shape]; `noise` is the dropout mask [R, N, L, H], or None."""
        *_, (_, features) = self._layers(observations, noise)
        return perceptron(features, self.network.layers[-1:], self.network.activation)

    def features(self, observations: Observations) -> Tensor:
        """As `WithFeatures.features`."""
        *_, (_, features) = self._layers(observations, None)
        return features

    def hidden(self, observations: Observations) -> Iterator[tuple[Tensor, Tensor]]:
        """As `Layered.hidden`; the units before the activation are normalised."""
        yield from self._layers(observations, None)

    def _layers(self, observations: Observations, noise: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the units [R, N, H] of each hidden layer before and after the activation."""
        x, activation = flat(observations), self.network.activation
        for index, linear in enumerate(self.network.layers[:-1]):
            before = self._normalised(perceptron(x, [linear], activation), index)
            if noise is not None:
                before = before * self.network.scale * noise[..., index, :]
            x = getattr(nn.functional, activation)(before)
            yield before, x

    def _normalised(self, units: Tensor, layer: int) -> Tensor:
        """Units [R, N, H] with mean 0 and variance 1 over the layer at each step, times the gain, plus the offset."""
        standardised = nn.functional.layer_norm(units, units.shape[-1:], eps=EPSILON)
        return torch.addcmul(self.offset[:, layer, None], standardised, self.gain[:, layer, None])


class NormedMLP(WrappedNetwork):
    """R perceptrons with normalised hidden layers. Gains begin at 1, offsets at 0."""

    network: StackedMLP

    def __init__(self, network: StackedMLP) -> None:
        """`network` has the linear maps and the dropout, and at least one hidden layer."""
        super().__init__(network)
        shape = (len(network.weights[0]), *network.noise_shape)
        self.gain = nn.Parameter(torch.ones(shape))
        self.offset = nn.Parameter(torch.zeros(shape))

    def bind(self, learners: Tensor | None = None) -> BoundNormedMLP:
        """The perceptrons of the learners with indices [R] (None: all), with the graph to the stacked parameters."""
        gain, offset = (self.gain, self.offset) if learners is None else (self.gain[learners], self.offset[learners])
        return BoundNormedMLP(self.network.bind(learners), gain, offset)

    def strongest_units(self, learner: int, count: int) -> Tensor:
        """As `StackedMLP.strongest_units`: weights of the first linear map, before the normalisation."""
        return self.network.strongest_units(learner, count)
