"""Protocols of stacked networks. A network is bound to some of its learners, and then called.

The protocols after `CompiledStep` are optional: networks that do not implement them are slower, or have fewer views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pg_experiments.tensors.sequences import Sequences
from pg_experiments.tensors.sparse import SparseRows

Observations = Tensor | SparseRows | Sequences  # [R, N, *shape]
RELU, LEAKY_RELU, TANH = range(3)  # activations of a `DenseForm`
LEAKY_SLOPE = 0.01  # torch's default


class BoundNetwork(Protocol):
    """A network with the parameters of R learners."""

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """Computes outputs [R, N, K] from observations [R, N, *shape] and noise [R, N, *noise_shape] (None: none)."""


class Network(Protocol):
    """The stacked parameters of all learners; a `torch.nn.Module`, each parameter with the learners on its first axis.

    Attributes:
        outputs: K, number of outputs for each observation.
        noise_shape: shape of the noise of a step (the dropout mask), if the network has noise.
    """

    outputs: int
    noise_shape: tuple[int, ...]

    @property
    def has_noise(self) -> bool:
        """Whether calls take noise while acting."""

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """Draws the noise of `count` steps of a learner, [count, *noise_shape] bool."""

    def bind(self, learners: Tensor | None = None) -> BoundNetwork:
        """Binds the network to the learners with indices [R]; None: all learners."""


class CompiledStep(Protocol):
    """A bound network for one time step of sparse observations, from NumPy to NumPy."""

    def __call__(
        self, columns: np.ndarray, values: np.ndarray, counts: np.ndarray, noise: np.ndarray | None
    ) -> np.ndarray:
        """Computes outputs [R, E, K] of E observations per learner.

        Args:
            columns: [nnz] int32, learner · D + column of each non-zero number, observations in order.
            values: [nnz] int8, the non-zero numbers.
            counts: [R · E] int64, number of non-zero numbers of each observation.
            noise: [R, E, *noise_shape] float32, or None.
        """


@runtime_checkable
class Compilable(Protocol):
    """A bound network with a compiled form."""

    def compiled(self) -> CompiledStep:
        """The compiled form, with a copy of the current parameters."""


Pullback = Callable[[Tensor], None]  # takes ∂ loss / ∂ outputs, and adds ∂ loss / ∂ parameters to their `grad`


@runtime_checkable
class Differentiable(Protocol):
    """A bound network with a gradient that takes less time than that of automatic differentiation."""

    def with_pullback(self, observations: Observations, noise: Tensor | None) -> tuple[Tensor, Pullback] | None:
        """As the function `with_pullback`; None for inputs or parameters that it is not made for."""


def with_pullback(
    network: BoundNetwork, observations: Observations, noise: Tensor | None = None
) -> tuple[Tensor, Pullback]:
    """Outputs [R, N, K] without their graph, and the function that differentiates them; arguments as in a call."""
    # of the type, as Python remembers the answer; asking an object takes some µs in every call
    if issubclass(type(network), Differentiable):
        found = cast(Differentiable, network).with_pullback(observations, noise)
        if found is not None:
            return found
    outputs = network(observations, noise)
    return outputs.detach(), partial(torch.autograd.backward, outputs)


InputPullback = Callable[[Tensor], Tensor]  # from ∂ loss / ∂ outputs to ∂ loss / ∂ observations


@runtime_checkable
class InputDifferentiable(Protocol):
    """A bound network with a quicker gradient by its observations."""

    def with_input_pullback(self, observations: Tensor) -> tuple[Tensor, InputPullback] | None:
        """As the function `with_input_pullback`; None for inputs that it is not made for."""


def with_input_pullback(network: BoundNetwork, observations: Tensor) -> tuple[Tensor, InputPullback]:
    """Outputs [R, N, K] of observations [R, N, *shape] without noise, and the function that differentiates them.

    It gives the gradient by the observations. Parameters get none.
    """
    if issubclass(type(network), InputDifferentiable):
        found = cast(InputDifferentiable, network).with_input_pullback(observations)
        if found is not None:
            return found
    with torch.enable_grad():
        shown = observations.detach().requires_grad_()
        outputs = network(shown)
    return outputs.detach(), lambda gradient: torch.autograd.grad(outputs, shown, gradient)[0]


AS_IT_IS = np.zeros((0, 0), dtype=np.float32)  # shift and factor of observations that are not normalised


class DenseForm(NamedTuple):
    """Perceptrons of R learners as plain arrays, for compiled loops over dense observations.

    Recurrent networks have the same form: their hidden layer is the units, whose parameters are those of `unroll.Cell`.
    """

    parameters: (
        np.ndarray
    )  # [R, P] float32: of each layer weights [inputs, outputs] (the last: transposed), then biases
    widths: np.ndarray  # [L + 2] int64: numbers in an observation, hidden units of each layer, outputs
    activation: int  # RELU, LEAKY_RELU or TANH
    scale: np.ndarray  # [R] float32: factor of a unit that dropout keeps
    drop_below: np.ndarray  # [R] uint16: dropout drops a unit whose 16 random bits are below
    # an observation x becomes (x − shift) · factor, limited to ±limit, where these have rows, [R, D] float32
    shift: np.ndarray = AS_IT_IS
    factor: np.ndarray = AS_IT_IS
    limit: float = 0.0


@runtime_checkable
class CompilableDense(Protocol):
    """A network with a compiled form for dense observations.

    Attributes:
        inputs: D, number of inputs.
    """

    inputs: int

    def dense_form(self, learners: Tensor) -> DenseForm:
        """The perceptrons of the learners with indices [R], with a copy of the current parameters."""


def as_compilable(network: object) -> CompilableDense | None:
    """The network if it has a compiled form for dense observations, else None.

    A network whose class has `dense_form`, but which has no compiled form itself, as a wrapper around another kind of
    network, says so with the attribute `has_dense_form = False`.
    """
    return network if isinstance(network, CompilableDense) and getattr(network, "has_dense_form", True) else None


@runtime_checkable
class Repeatable(Protocol):
    """A bound network that can be evaluated on several blocks of steps of each learner at once."""

    def repeated(self, times: int) -> BoundNetwork:
        """The network bound to each learner `times` times in a row: [R · times, N, …] -> [R · times, N, K]."""


@runtime_checkable
class Layered(Protocol):
    """A bound network whose hidden layers can be inspected."""

    def hidden(self, observations: Observations) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the units [R, N, H] of each hidden layer before and after the activation, without noise."""


@runtime_checkable
class WithFeatures(Protocol):
    """A bound network whose last hidden layer can be shared."""

    def features(self, observations: Observations) -> Tensor:
        """The units [R, N, F] of the last hidden layer after the activation, without noise, with their graph."""


@runtime_checkable
class FromFeatures(WithFeatures, Protocol):
    """A bound network whose features are used twice at the cost of one evaluation."""

    def from_features(self, features: Tensor) -> Tensor:
        """The outputs [R, N, K] of features [R, N, F], with their graph."""


@runtime_checkable
class SharesFeatures(Protocol):
    """A network whose bound form is `WithFeatures`.

    Attributes:
        num_features: F, number of features.
    """

    num_features: int


def innermost(network: object) -> object:
    """The network inside of wrappers, which keep theirs in the attribute `network`."""
    while hasattr(network, "network"):
        network = network.network
    return network


def state_size_of(network: object) -> int:
    """S, size of a recurrent network's state; 0 for other networks.

    A recurrent network has the attribute `state_size`, and its bound form takes `Sequences`.
    """
    size: int = getattr(innermost(network), "state_size", 0)
    return size


@runtime_checkable
class WithFirstLayer(Protocol):
    """A network whose first layer is a linear map of the observation, so that its weights can be shown as images."""

    def strongest_units(self, learner: int, count: int) -> Tensor:
        """First-layer weights [units, D] of the units with the largest weights to the next layer, at most `count`."""
