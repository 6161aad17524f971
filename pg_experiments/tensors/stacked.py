"""R multi-layer perceptrons with stacked parameters, and dropout per learner."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.tensors import compiled_perceptron as compiled
from pg_experiments.tensors.compiled_mlp import CompiledMLP
from pg_experiments.tensors.dense_form import LEVELS, Layer, dense_form_of
from pg_experiments.tensors.fused import (
    CODES,
    Activation,
    backward,
    can_fuse,
    forward,
    fused_perceptron,
    is_transformed,
)
from pg_experiments.tensors.initialisation import Initialisation, initialise_layer
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import CompiledStep, DenseForm, InputPullback, Observations, Pullback
from pg_experiments.tensors.perceptron_memory import Memory, memory_of
from pg_experiments.tensors.repeated import repeated
from pg_experiments.tensors.sequences import Sequences
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.streams import Purpose, torch_stream

# in place, as the hidden units of a batch are the largest tensor of a run
ACTIVATIONS = {"relu": torch.relu_, "leaky_relu": nn.functional.leaky_relu_, "tanh": torch.tanh_}


def perceptron(
    x: Tensor | SparseRows,
    layers: Sequence[Layer],
    activation: Activation,
    masks: Tensor | None = None,
    scale: Tensor | float = 1.0,
    memory: Memory | None = None,
) -> Tensor:
    """R multi-layer perceptrons: [R, N, inputs] -> [R, N, outputs].

    Args:
        x: [R, N, inputs], dense or sparse.
        layers: weights and biases, first to last; a single layer is a linear map.
        activation: activation of the hidden layers.
        masks: [R, N, L, H], True or 1 for the hidden units that dropout keeps; None for no dropout.
        scale: factor of a kept unit, 1 / (1 − dropout probability); a number, or [R, 1, 1]. Mask and scale are applied
            before the activation, as in the text.
        memory: where the parameters are, for compiled loops, if that is known.
    """
    if isinstance(x, Tensor) and can_fuse(x):
        return fused_perceptron(x, layers, activation, masks, scale, memory)
    *hidden, (last_weight, last_bias) = layers
    activate = ACTIVATIONS[activation]
    for index, (weight, bias) in enumerate(hidden):
        if masks is None:
            x = _affine(x, weight, bias, 1.0)
        else:
            x = _affine(x, weight, bias, scale).mul_(masks[..., index, :])
        x = activate(x)
    return _affine(x, last_weight, last_bias, 1.0)


def _affine(x: Tensor | SparseRows, weight: Tensor, bias: Tensor | None, scale: Tensor | float) -> Tensor:
    """(x · W + b) · scale, [R, N, inputs] -> [R, N, outputs]."""
    if isinstance(x, Tensor) and bias is not None and isinstance(scale, float):
        return torch.baddbmm(bias, x, weight, beta=scale, alpha=scale)
    product = torch.bmm(x, weight) if isinstance(x, Tensor) else x.matmul(weight)
    if bias is not None:
        product = product + bias
    return product if isinstance(scale, float) and scale == 1.0 else product.mul_(scale)


def flat(observations: Observations) -> Tensor | SparseRows:
    """[R, N, *shape] -> [R, N, D]."""
    if isinstance(observations, Sequences):
        observations = observations.observations
    if isinstance(observations, Tensor) and observations.ndim > 3:
        return observations.flatten(2)
    return observations


@dataclass(frozen=True)
class BoundMLP:
    """The perceptrons of some learners. Parameters are indexed once, and not in each call."""

    layers: list[Layer]
    activation: Activation
    scale: Tensor | float
    memory: Memory | None = None  # where parameters are, for compiled loops

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """Outputs [R, N, K] of observations [R, N, *shape]; `noise` is the dropout mask [R, N, L, H], or None."""
        return perceptron(flat(observations), self.layers, self.activation, noise, self.scale, self.memory)

    def with_input_pullback(self, observations: Tensor) -> tuple[Tensor, InputPullback] | None:
        """As `InputDifferentiable.with_input_pullback`."""
        if observations.ndim > 3 or not can_fuse(observations):
            return None
        weights, biases = [w for w, _ in self.layers], [b for _, b in self.layers if b is not None]
        settings = (weights, biases, self.activation, None, self.scale, self.memory)
        with torch.no_grad():
            *layers, outputs = forward(observations, *settings)

        @torch.no_grad()
        def pull_back(gradient: Tensor) -> Tensor:
            found = backward(gradient, layers, *settings, of_input=True, of_parameters=False)[0]
            return cast(Tensor, found)  # as it is wanted

        return outputs, pull_back

    def with_pullback(self, observations: Observations, noise: Tensor | None) -> tuple[Tensor, Pullback] | None:
        """As `Differentiable.with_pullback`; for dense observations, and parameters that are not rows of others."""
        x = flat(observations)
        weights, biases = [w for w, _ in self.layers], [b for _, b in self.layers if b is not None]
        if not isinstance(x, Tensor) or not can_fuse(x) or not weights[0].is_leaf:
            return None
        if self.memory is not None:
            return self._with_compiled_pullback(x, noise, self.memory)
        with torch.no_grad():
            *layers, outputs = forward(x, weights, biases, self.activation, noise, self.scale)

        @torch.no_grad()
        def pull_back(gradient: Tensor) -> None:
            _, of_weights, of_biases = backward(gradient, layers, weights, biases, self.activation, noise, self.scale)
            for parameter, found in zip((*weights, *biases), (*of_weights, *of_biases), strict=False):
                parameter.grad = found if parameter.grad is None else parameter.grad.add_(found)

        return outputs, pull_back

    def _with_compiled_pullback(self, x: Tensor, noise: Tensor | None, memory: Memory) -> tuple[Tensor, Pullback]:
        settings = (CODES[self.activation], noise, self.scale)
        units, outputs = compiled.forward(x, memory.widths, memory.parameters, *settings)

        @torch.no_grad()
        def pull_back(gradient: Tensor) -> None:
            weights, biases = zip(*self.layers, strict=True)
            for parameter, part in zip((*weights, *biases), memory.parts, strict=True):
                if parameter.grad is not part:
                    part.zero_() if parameter.grad is None else part.copy_(parameter.grad)
                    parameter.grad = part
            compiled.backward(gradient, x, memory.widths, memory.parameters, units, memory.gradients, *settings)

        return outputs, pull_back

    def repeated(self, times: int) -> BoundMLP:
        """The same perceptrons, each `times` times in a row."""
        layers = [(repeated(w, times), None if b is None else repeated(b, times)) for w, b in self.layers]
        scale = self.scale if isinstance(self.scale, float) else repeated(self.scale, times)
        return BoundMLP(layers, self.activation, scale)

    def compiled(self) -> CompiledStep:
        """A compiled loop for one time step of sparse observations, with a copy of the current parameters."""
        return CompiledMLP(self.layers, self.activation, self.scale)

    def features(self, observations: Observations) -> Tensor:
        """The units [R, N, F] of the last hidden layer after the activation, without dropout, with their graph."""
        before = perceptron(flat(observations), self.layers[:-1], self.activation)
        units: Tensor = getattr(nn.functional, self.activation)(before)  # the fused output cannot be changed in place
        return units

    def hidden(self, observations: Observations) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the units [R, N, H] of each hidden layer before and after the activation, without dropout."""
        for count in range(1, len(self.layers)):
            before = perceptron(flat(observations), self.layers[:count], self.activation)
            yield before, ACTIVATIONS[self.activation](before.clone())


class StackedMLP(nn.Module):
    """R perceptrons with stacked parameters; linear maps where there is no hidden layer."""

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
        dropout: Tensor | None = None,
    ) -> None:
        """`dropout` is [R], each learner's probability of dropping a hidden unit; None for no dropout."""
        super().__init__()
        widths = [inputs, *[hidden] * layers, outputs]
        shapes = list(pairwise(widths))
        self.weights = nn.ParameterList(torch.empty(learners, i, o) for i, o in shapes)
        self.biases = nn.ParameterList(torch.empty(learners, 1, o) for _, o in shapes) if bias else None
        self.activation: Activation = activation
        self.inputs, self.outputs = inputs, outputs
        self.noise_shape: tuple[int, ...] = (layers, hidden)
        self.num_features = hidden if layers else inputs
        # on the CPU, where masks are drawn, for parameters on any device
        self._all_learners = list(range(learners))
        self._pointer = 0  # of the first parameter, when `_found` was looked up
        self._found: Memory | None = None
        rate = torch.zeros(learners, device="cpu") if dropout is None or not layers else dropout
        self.drop_below = (rate.double() * LEVELS).round().clamp(max=LEVELS - 1).long()  # [R] of LEVELS

    @property
    def has_noise(self) -> bool:
        """Whether any learner uses dropout."""
        return bool((self.drop_below > 0).any())

    def choose(self, learners: Tensor) -> None:
        """As `KeepsLearners.choose`."""
        self.drop_below = self.drop_below[learners.cpu()]
        self._all_learners = list(range(len(learners)))
        self._pointer, self._found = 0, None
        self.__dict__.pop("_scales", None)  # computed again

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """Draws dropout masks for `count` steps of a learner: [count, L, H] bool, True for units that are kept."""
        units = count * math.prod(self.noise_shape)
        bits = stream.bit_generator.random_raw(-(-units // 4)).view(np.uint16)[:units]
        return (bits >= int(self.drop_below[learner])).reshape(count, *self.noise_shape)

    def bind(self, learners: Tensor | None = None) -> BoundMLP:
        """The perceptrons of the learners with indices [R] (None: all), with the graph to the stacked parameters."""
        all_learners = learners is None or learners.tolist() == self._all_learners

        def rows(stacked: list[nn.Parameter]) -> Sequence[Tensor]:
            return stacked if all_learners else [parameter[learners] for parameter in stacked]

        weights = rows(_members(self.weights))
        biases = [None] * len(weights) if self.biases is None else rows(_members(self.biases))
        layers: list[Layer] = list(zip(weights, biases, strict=True))
        memory = self._memory(weights, biases) if all_learners and not is_transformed() else None
        return BoundMLP(layers, self.activation, self._scale(learners), memory)

    def _memory(self, weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> Memory | None:
        """The memory of all parameters, where compiled loops can use it. It is looked up again when they have moved."""
        if weights[0].data_ptr() != self._pointer:
            self._pointer = weights[0].data_ptr()
            self._found = memory_of(weights, [bias for bias in biases if bias is not None])
        return self._found

    def dense_form(self, learners: Tensor) -> DenseForm:
        """The perceptrons of the learners with indices [R] as plain arrays."""
        return dense_form_of(self.bind(learners).layers, self.activation, self.drop_below[learners])

    def strongest_units(self, learner: int, count: int) -> Tensor:
        """First-layer weights [units, D] of the units with the largest weights to the next layer, at most `count`."""
        first, *later = (weight.detach()[learner] for weight in self.weights)
        importance = later[0].abs().sum(1) if later else torch.ones(first.shape[1], device=first.device)
        strongest: Tensor = first.T[importance.topk(min(count, len(importance))).indices.sort().values]
        return strongest

    def _scale(self, learners: Tensor | None) -> Tensor | float:
        """LEVELS / (LEVELS − drop_below): a number where it is equal for all learners, else [R, 1, 1]."""
        factors = self._scales
        if isinstance(factors, float):
            return factors
        factors = factors if learners is None else factors[learners.cpu()]
        return factors.to(self.weights[0]).view(-1, 1, 1)

    @cached_property
    def _scales(self) -> Tensor | float:
        """The factors of all learners, [R] on the CPU; a number where they are equal."""
        factors = LEVELS / (LEVELS - self.drop_below.double())
        if bool((factors == factors[0]).all()):
            return float(factors[0])
        return factors

    def initialise(self, learners: Learners, purpose: Purpose, how: Initialisation, output_gain: float) -> None:
        """Draws each learner's parameters from the stream of its seed, independently of the other learners.

        `torch`: uniform in ±1/√inputs for weights and biases, as in `nn.Linear`. `xavier` (Glorot & Bengio 2010) and
        `orthogonal` (Saxe et al. 2014; times the activation's gain, or `output_gain` for the last layer) initialise
        biases to 0.
        """
        for learner, seed in enumerate(learners):
            self.initialise_learner(learner, torch_stream(seed, purpose), how, output_gain)

    @torch.no_grad()
    def initialise_learner(
        self, learner: int, generator: torch.Generator, how: Initialisation, output_gain: float
    ) -> None:
        """Draws the parameters of one learner, as `initialise`."""
        hidden_gain = nn.init.calculate_gain(self.activation)
        for index, stack in enumerate(self.weights):
            weight = stack[learner].T  # outputs × inputs, the orientation that torch's functions expect
            bias = None if self.biases is None else self.biases[index][learner]
            gain = output_gain if index == len(self.weights) - 1 else hidden_gain
            initialise_layer(weight, bias, how, gain, generator)


def _members(parameters: nn.ParameterList) -> list[nn.Parameter]:
    """The parameters of a list; iterating over the list itself takes ten times as long."""
    return [parameter for parameter in parameters._parameters.values() if parameter is not None]
