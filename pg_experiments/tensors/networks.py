"""What a stacked network offers: it is bound to some of its learners, and then called.

The protocols below `Network` are optional: a network without them is slower, or shown in less detail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from pg_experiments.tensors.sparse import SparseRows


class BoundNetwork(Protocol):
    """A network with the parameters of R learners."""

    def __call__(self, observations: Tensor | SparseRows, noise: Tensor | None = None) -> Tensor:
        """Outputs [R, N, K] of observations [R, N, *shape]; `noise` is [R, N, *noise_shape], or None for no noise."""


class Network(Protocol):
    """The stacked parameters of all learners; a `torch.nn.Module`, each parameter with the learners on its first axis.

    Attributes:
        outputs: K, numbers that a call gives for each observation.
        noise_shape: shape of a step's noise (the mask of dropout), where a network has any.
    """

    outputs: int
    noise_shape: tuple[int, ...]

    @property
    def has_noise(self) -> bool:
        """Whether a call while acting takes noise."""

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """[count, *noise_shape] bool: the noise of `count` steps of a learner."""

    def bind(self, learners: Tensor | None = None) -> BoundNetwork:
        """The network of the learners [R] by index; None: of all."""


class CompiledStep(Protocol):
    """A bound network for one time step of sparse observations, from NumPy to NumPy."""

    def __call__(
        self, columns: np.ndarray, values: np.ndarray, counts: np.ndarray, noise: np.ndarray | None
    ) -> np.ndarray:
        """Outputs [R, E, K] of E observations of each learner.

        Args:
            columns: [nnz] int32, learner · D + column of each number that is not 0, observations in order.
            values: [nnz] int8, those numbers.
            counts: [R · E] int64, how many of them each observation has.
            noise: [R, E, *noise_shape] float32, or None.
        """


@runtime_checkable
class Compilable(Protocol):
    """A bound network with a compiled form."""

    def compiled(self) -> CompiledStep:
        """That form; it holds the parameters of now."""


@runtime_checkable
class Layered(Protocol):
    """A bound network whose hidden layers can be watched."""

    def hidden(self, observations: Tensor | SparseRows) -> Iterator[tuple[Tensor, Tensor]]:
        """For each hidden layer its units [R, N, H] before and after the activation, without noise."""


@runtime_checkable
class WithFirstLayer(Protocol):
    """A network whose first layer is a linear map of the observation's numbers, which can be shown as pictures."""

    def strongest_units(self, learner: int, count: int) -> Tensor:
        """[units, D]: weights of the units that weigh most for the next layer, at most `count` of them."""
