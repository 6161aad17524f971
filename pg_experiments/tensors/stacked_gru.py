"""R networks with a layer of gated recurrent units, stacked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.tensors.dense_form import Layer
from pg_experiments.tensors.initialisation import Initialisation, initialise_layer
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import TANH, DenseForm, Observations
from pg_experiments.tensors.sequences import Sequences
from pg_experiments.tensors.stacked import perceptron
from pg_experiments.tensors.streams import Purpose, torch_stream
from pg_experiments.tensors.unroll import Cell, step, unroll

GATES = 3


@dataclass(frozen=True)
class BoundGRU:
    """The networks of some learners."""

    cell: Cell
    output: Layer

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """Outputs [R, T · E, K] of sequences. Writes the state after them to `observations.after`, if it is given."""
        return self.from_features(self.features(observations))

    def from_features(self, features: Tensor) -> Tensor:
        """The outputs [R, N, K] of states [R, N, S], a linear map."""
        return perceptron(features, [self.output], "tanh")

    def features(self, observations: Observations) -> Tensor:
        """The states [R, T · E, S] after every step, with their graph."""
        if not isinstance(observations, Sequences):
            raise TypeError("a recurrent network takes sequences, with the state before them")
        x, states, fresh, after = observations
        x = x.flatten(2) if x.ndim > 3 else x
        if after is None or x.shape[1] != states.shape[1]:
            return self._unrolled(x, states, fresh, after)
        # one step: the collector's, whose graph may be kept through time
        states = step(x, states, self.cell)
        after.copy_(states)
        return states

    def _unrolled(self, x: Tensor, states: Tensor, fresh: Tensor | None, after: Tensor | None) -> Tensor:
        found = unroll(x, states, fresh, self.cell)
        if after is not None:
            after.copy_(found[:, -states.shape[1] :])
        return found


class StackedGRU(nn.Module):
    """R networks: gated recurrent units as in `torch.nn.GRU`, and a linear map of their state."""

    noise_shape: tuple[int, ...] = ()
    has_noise = False

    def __init__(self, learners: int, inputs: int, outputs: int, *, hidden: int) -> None:
        """`hidden` is S, the number of units."""
        super().__init__()
        self.inputs, self.outputs, self.state_size = inputs, outputs, hidden
        self.of_input = nn.Parameter(torch.empty(learners, inputs, GATES * hidden))
        self.input_bias = nn.Parameter(torch.empty(learners, 1, GATES * hidden))
        self.of_state = nn.Parameter(torch.empty(learners, hidden, GATES * hidden))
        self.state_bias = nn.Parameter(torch.empty(learners, 1, GATES * hidden))
        self.output = nn.Parameter(torch.empty(learners, hidden, outputs))
        self.output_bias = nn.Parameter(torch.empty(learners, 1, outputs))

    @property
    def num_features(self) -> int:
        """S, the number of features that other networks can share."""
        return self.state_size

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """Placeholder of shape [count], as there is no noise."""
        return np.ones(count, dtype=np.bool_)

    def bind(self, learners: Tensor | None = None) -> BoundGRU:
        """The networks of the learners with indices [R]; None: all learners."""
        every = learners is None or learners.tolist() == list(range(len(self.output)))
        rows = [p if every else p[learners] for p in self.parameters()]
        return BoundGRU(Cell(*rows[:4]), (rows[4], rows[5]))

    def dense_form(self, learners: Tensor) -> DenseForm:
        """As `CompilableDense.dense_form`."""
        rows, R = learners.numpy(), len(learners)
        *of_units, weights, biases = (parameter.detach().numpy()[rows] for parameter in self.parameters())
        parts = [part.reshape(R, -1) for part in (*of_units, weights.swapaxes(1, 2), biases)]
        widths = np.array([self.inputs, self.state_size, self.outputs])
        no_dropout = np.ones(R, dtype=np.float32), np.zeros(R, dtype=np.uint16)
        return DenseForm(np.concatenate(parts, 1), widths, TANH, *no_dropout)

    @torch.no_grad()
    def initialise(self, learners: Learners, purpose: Purpose, how: Initialisation, output_gain: float) -> None:
        """Draws each learner's parameters from the stream of its seed; as `StackedMLP.initialise`.

        `torch` is that of `nn.GRU`, uniform in ±1/√S. Otherwise each gate's matrices are drawn by themselves, with gain
        1, and biases are 0.
        """
        for learner, seed in enumerate(learners):
            generator = torch_stream(seed, purpose)
            for weights, biases in ((self.of_input, self.input_bias), (self.of_state, self.state_bias)):
                for weight, bias in zip(weights[learner].chunk(GATES, 1), biases[learner].chunk(GATES, 1), strict=True):
                    if how == "torch":
                        bound = 1 / math.sqrt(self.state_size)
                        weight.uniform_(-bound, bound, generator=generator)
                        bias.uniform_(-bound, bound, generator=generator)
                    else:
                        initialise_layer(weight.T, bias, how, 1.0, generator)
            initialise_layer(self.output[learner].T, self.output_bias[learner], how, output_gain, generator)
