"""Layers of R learners at once: plain modules whose weights carry a leading seed axis."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from pg_experiments.streams import Purpose, torch_stream

Initialisation = Literal["torch", "xavier", "orthogonal"]
Activation = Literal["relu", "leaky_relu", "tanh"]

ACTIVATIONS = {"relu": torch.relu, "leaky_relu": nn.functional.leaky_relu, "tanh": torch.tanh}


class StackedLinear(nn.Module):
    """R affine maps side by side: [R, N, inputs] -> [R, N, outputs], y_r = x_r W_r + b_r."""

    def __init__(self, seeds: int, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(seeds, 1, outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(x, self.weight)
        return torch.baddbmm(self.bias, x, self.weight)

    @torch.no_grad()
    def initialise(self, seed: int, how: Initialisation, gain: float, generator: torch.Generator) -> None:
        """Draw the parameters of one seed.

        `torch`: uniform ±1/√inputs for weights and biases, as `nn.Linear` does. `xavier` (Glorot & Bengio 2010)
        and `orthogonal` (Saxe et al. 2014; times `gain`) start the biases at 0.
        """
        weight = self.weight[seed].T  # outputs × inputs, the orientation that torch's functions expect
        if how == "torch":
            bound = 1 / math.sqrt(weight.shape[1])
            weight.uniform_(-bound, bound, generator=generator)
            if self.bias is not None:
                self.bias[seed].uniform_(-bound, bound, generator=generator)
            return
        if how == "xavier":
            nn.init.xavier_uniform_(weight, generator=generator)
        else:
            nn.init.orthogonal_(weight, gain, generator=generator)
        if self.bias is not None:
            self.bias[seed].zero_()


class StackedMLP(nn.Module):
    """R multi-layer perceptrons: [R, N, inputs] -> [R, N, outputs]. With no hidden layer, R linear maps."""

    def __init__(
        self,
        seeds: int,
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
        self.layers = nn.ModuleList(
            StackedLinear(seeds, i, o, bias) for i, o in zip(widths, widths[1:], strict=False)
        )
        self.activation = activation

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Map observations to outputs.

        Args:
            x: [R, N, inputs].
            scale: [R, N, L, H] what each hidden unit is multiplied with before its activation (dropout: 0, or
                one over the probability of being kept), or None for no dropout.
        """
        *hidden, last = self.layers
        activate = ACTIVATIONS[self.activation]
        for index, layer in enumerate(hidden):
            x = layer(x)
            if scale is not None:
                x = x * scale[..., index, :]
            x = activate(x)
        return last(x)

    def initialise(
        self, seeds: list[int], purpose: Purpose, how: Initialisation, output_gain: float
    ) -> None:
        """Draw each seed's parameters from its own stream, whoever its neighbours are."""
        hidden_gain = nn.init.calculate_gain(self.activation)
        for index, seed in enumerate(seeds):
            generator = torch_stream(seed, purpose)
            for layer in self.layers:
                gain = output_gain if layer is self.layers[-1] else hidden_gain
                layer.initialise(index, how, gain, generator)
