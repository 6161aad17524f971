"""R convolutional networks with stacked parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from pg_experiments.tensors.initialisation import initialise_layer
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Observations
from pg_experiments.tensors.stacked import BoundMLP, StackedMLP, perceptron
from pg_experiments.tensors.streams import Purpose, torch_stream


class Convolution(NamedTuple):
    """A layer of square filters without padding."""

    filters: int
    size: int
    stride: int

    def smallest(self, after: int) -> int:
        """The smallest width of an image of which the layer makes one of width `after`."""
        return (after - 1) * self.stride + self.size

    def width(self, before: int) -> int:
        """The width of what the layer makes of an image of width `before`."""
        return (before - self.size) // self.stride + 1


@dataclass(frozen=True)
class Images:
    """How observations are read as images: their axes, and how numbers are scaled, (x − low) / width."""

    channels: int
    height: int
    width_of_image: int
    channels_first: bool
    low: float
    width: float

    def __call__(self, observations: Tensor) -> Tensor:
        """[R, N, *shape] -> [R, N, C, H, W]."""
        x = observations.unsqueeze(-1) if observations.ndim == 4 else observations
        x = x if self.channels_first else x.permute(0, 1, 4, 2, 3)
        if self.low:
            return x.sub(self.low).mul_(1 / self.width)
        return x if self.width == 1.0 else x.mul(1 / self.width)


@dataclass(frozen=True)
class BoundCNN:
    """The networks of some learners. A learner's filters are applied by themselves.

    Grouped convolutions of all learners at once, which `torch.func.vmap` makes of them, take longer on CPUs.
    """

    images: Images
    strides: Sequence[int]
    filters: Sequence[Sequence[tuple[Tensor, Tensor]]]  # of each learner: weights and biases of each layer
    dense: BoundMLP

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """Outputs [R, N, K] of observations [R, N, *shape]."""
        return self.dense(self.convolved(observations))

    def convolved(self, observations: Observations) -> Tensor:
        """The last convolutional layer [R, N, F] after its activation, in the order of channels, rows and columns."""
        assert isinstance(observations, Tensor), "checked by `validate`"
        found = []
        for x, layers in zip(self.images(observations).unbind(), self.filters, strict=True):
            for (weights, biases), stride in zip(layers, self.strides, strict=True):
                x = torch.relu_(conv2d(x, weights, biases, stride))
            found.append(x.flatten(1))
        return torch.stack(found)

    def features(self, observations: Observations) -> Tensor:
        """As `WithFeatures.features`."""
        return self.dense.features(self.convolved(observations))

    def from_features(self, features: Tensor) -> Tensor:
        """As `FromFeatures.from_features`."""
        return perceptron(features, self.dense.layers[-1:], self.dense.activation)

    def hidden(self, observations: Observations) -> Iterator[tuple[Tensor, Tensor]]:
        """As `Layered.hidden`, of the dense layer."""
        yield from self.dense.hidden(self.convolved(observations))


class StackedCNN(nn.Module):
    """R networks of convolutional layers, a dense layer and a linear map, with ReLU after each but the last."""

    noise_shape: tuple[int, ...] = ()
    has_noise = False

    def __init__(
        self, learners: int, images: Images, layers: Sequence[Convolution], outputs: int, *, hidden: int
    ) -> None:
        """`layers` are the convolutional ones, `hidden` is the number of units of the dense one."""
        super().__init__()
        self.images, self.outputs = images, outputs
        self.strides = [layer.stride for layer in layers]
        channels = [images.channels, *(layer.filters for layer in layers)]
        height, width = images.height, images.width_of_image
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for (before, after), layer in zip(pairwise(channels), layers, strict=True):
            self.weights.append(torch.empty(learners, after, before, layer.size, layer.size))
            self.biases.append(torch.empty(learners, after))
            height, width = layer.width(height), layer.width(width)
        inputs = channels[-1] * height * width
        self.dense = StackedMLP(learners, inputs, outputs, hidden=hidden, layers=1, activation="relu", bias=True)

    @property
    def num_features(self) -> int:
        """F, number of features that other networks can share: the units of the dense layer."""
        return self.dense.num_features

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """Placeholder of shape [count], as there is no noise."""
        return np.ones(count, dtype=np.bool_)

    def bind(self, learners: Tensor | None = None) -> BoundCNN:
        """The networks of the learners with indices [R]; None: all learners."""
        every = [*self.weights, *self.biases]
        rows = [(p if learners is None else p[learners]).unbind() for p in every]
        layers = len(self.weights)
        filters = [list(zip(of[:layers], of[layers:], strict=True)) for of in zip(*rows, strict=True)]
        return BoundCNN(self.images, self.strides, filters, self.dense.bind(learners))

    @torch.no_grad()
    def initialise(self, learners: Learners, purpose: Purpose, output_gain: float) -> None:
        """Draws each learner's parameters from the stream of its seed.

        Weights are orthogonal (of a filter as one row) with gain √2, the last layer's with `output_gain`; biases are 0.
        """
        gain = nn.init.calculate_gain("relu")
        for learner, seed in enumerate(learners):
            generator = torch_stream(seed, purpose)
            for weights, biases in zip(self.weights, self.biases, strict=True):
                initialise_layer(weights[learner], biases[learner], "orthogonal", gain, generator)
            self.dense.initialise_learner(learner, generator, "orthogonal", output_gain)
