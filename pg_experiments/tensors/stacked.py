"""R learners at once: parameters with a leading seed axis, and the perceptron that they are the weights of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.streams import Purpose, torch_stream

Initialisation = Literal["torch", "xavier", "orthogonal"]
Activation = Literal["relu", "leaky_relu", "tanh"]
Layer = tuple[Tensor, Tensor | None]  # weights [R, inputs, outputs]; biases [R, 1, outputs], or none

# in place: a batch of hidden units is the largest thing a run ever holds
ACTIVATIONS = {"relu": torch.relu_, "leaky_relu": nn.functional.leaky_relu_, "tanh": torch.tanh_}


def perceptron(
    x: Tensor | SparseRows,
    layers: Sequence[Layer],
    activation: Activation,
    masks: Tensor | None = None,
    scale: float = 1.0,
) -> Tensor:
    """R multi-layer perceptrons side by side: [R, N, inputs] -> [R, N, outputs].

    Args:
        x: [R, N, inputs], dense or sparse.
        layers: weights and biases, first to last; one layer alone is a linear map.
        activation: of the hidden layers.
        masks: [R, N, L, H], True or 1 for the hidden units that dropout keeps; None for no dropout.
        scale: what a kept unit is multiplied with, one over its probability of being kept. Mask and scale come
            before the activation, as in the text.
    """
    *hidden, (last_weight, last_bias) = layers
    activate = ACTIVATIONS[activation]
    for index, (weight, bias) in enumerate(hidden):
        if masks is None:
            x = _affine(x, weight, bias, 1.0)
        else:
            x = _affine(x, weight, bias, scale).mul_(masks[..., index, :])
        x = activate(x)
    return _affine(x, last_weight, last_bias, 1.0)


def _affine(x: Tensor | SparseRows, weight: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """(x · W + b) · scale, [R, N, inputs] -> [R, N, outputs]."""
    if isinstance(x, Tensor) and bias is not None:
        return torch.baddbmm(bias, x, weight, beta=scale, alpha=scale)
    product = torch.bmm(x, weight) if isinstance(x, Tensor) else x.matmul(weight)
    if bias is not None:
        product = product + bias
    return product if scale == 1.0 else product.mul_(scale)


class StackedMLP(nn.Module):
    """The parameters of R perceptrons. With no hidden layer, of R linear maps."""

    def __init__(
        self,
        learners: int,
        inputs: int,
        outputs: int,
        *,
        hidden: int,
        layers: int,
        activation: Activation,
        bias: bool,
    ) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * layers, outputs]
        shapes = list(pairwise(widths))
        self.weights = nn.ParameterList(torch.empty(learners, i, o) for i, o in shapes)
        self.biases = nn.ParameterList(torch.empty(learners, 1, o) for _, o in shapes) if bias else None
        self.activation: Activation = activation

    def layers_of(self, learners: Tensor) -> list[Layer]:
        """The layers of the learners [R] by index, with the graph to the whole stack's parameters."""
        everyone = len(learners) == len(self.weights[0])
        weights = [weight if everyone else weight[learners] for weight in self.weights]
        if self.biases is None:
            return [(weight, None) for weight in weights]
        biases = [bias if everyone else bias[learners] for bias in self.biases]
        return list(zip(weights, biases, strict=True))

    def forward(self, x: Tensor | SparseRows, learners: Tensor) -> Tensor:
        """[R, N, inputs] -> [R, N, outputs] of the learners [R] by index, without dropout."""
        return perceptron(x, self.layers_of(learners), self.activation)

    @torch.no_grad()
    def initialise(self, seeds: Sequence[int], purpose: Purpose, how: Initialisation, output_gain: float) -> None:
        """Draw each learner's parameters from the stream of its own seed, whoever its neighbours are.

        `torch`: uniform ±1/√inputs for weights and biases, as `nn.Linear` does. `xavier` (Glorot & Bengio 2010)
        and `orthogonal` (Saxe et al. 2014; times the activation's gain, or `output_gain` for the last layer)
        start the biases at 0.
        """
        hidden_gain = nn.init.calculate_gain(self.activation)
        for learner, seed in enumerate(seeds):
            generator = torch_stream(seed, purpose)
            for index, stack in enumerate(self.weights):
                weight = stack[learner].T  # outputs × inputs, the orientation that torch's functions expect
                bias = None if self.biases is None else self.biases[index][learner]
                gain = output_gain if index == len(self.weights) - 1 else hidden_gain
                _draw(weight, bias, how, gain, generator)


def _draw(weight: Tensor, bias: Tensor | None, how: Initialisation, gain: float, generator: torch.Generator) -> None:
    if how == "torch":
        bound = 1 / math.sqrt(weight.shape[1])
        weight.uniform_(-bound, bound, generator=generator)
        if bias is not None:
            bias.uniform_(-bound, bound, generator=generator)
        return
    if how == "xavier":
        nn.init.xavier_uniform_(weight, generator=generator)
    else:
        nn.init.orthogonal_(weight, gain, generator=generator)
    if bias is not None:
        bias.zero_()
