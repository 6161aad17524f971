"""Element-wise update rules for stacked parameters, with separate state for each learner.

`torch.optim` has one learning rate and one step count per tensor, and updates all of its rows. Here each learner has
its own, so that some learners can be updated without changing parameters, moments and step counts of the others. The
operations and their order are those of `torch.optim` with `foreach=False`: on the CPU the results are bit-identical.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

Tensors = Sequence[Tensor]


@dataclass(frozen=True)
class Rule(ABC):
    """An update rule: computes new parameters from parameters, gradients and moments.

    Learning rate and weight decay are a number for all learners, or a tensor [R] on the CPU.
    """

    learning_rate: float | Tensor
    weight_decay: float | Tensor

    @property
    @abstractmethod
    def moments(self) -> int:
        """The number of moments: tensors of the parameter's shape, initialised to 0."""

    @abstractmethod
    def factors(self, counts: Sequence[int]) -> np.ndarray:
        """[K, R] float64: factors that differ between learners. `counts` [R] are step counts, including this step."""

    @abstractmethod
    def moved(self, parameter: Tensor, gradient: Tensor, moments: Tensors, factors: Tensors) -> Tensor:
        """The parameter after the step. Only the moments are changed in place.

        Args:
            parameter: [R, …].
            gradient: same shape.
            moments: tensors of the same shape, as many as the property `moments`.
            factors: the K rows of `factors`, [R, 1, …] each, in the parameter's dtype.
        """

    @cached_property
    def rates(self) -> np.ndarray:
        """The learning rate as a float64 array, [] or [R]."""
        return np.asarray(self.learning_rate, dtype=np.float64)

    @cached_property
    def penalties(self) -> np.ndarray:
        """The weight decay as a float64 array, [] or [R]."""
        return np.asarray(self.weight_decay, dtype=np.float64)

    @cached_property
    def decays(self) -> bool:
        """Whether any learner has a weight decay."""
        return bool(np.any(self.penalties))

    def with_penalty(self, gradient: Tensor, parameter: Tensor, decay: Tensor) -> Tensor:
        """The gradient plus the gradient of the L2 penalty."""
        return gradient.addcmul(parameter, decay) if self.decays else gradient


def per_learner(*values: np.ndarray, learners: int) -> np.ndarray:
    """Broadcast each of K values, [] or [R], to all learners: [K, R] float64."""
    rows = np.empty((len(values), learners))
    for row, value in zip(rows, values, strict=True):
        row[:] = value
    return rows


@dataclass(frozen=True)
class Adam(Rule):
    """Adam (Kingma & Ba 2015), with an L2 penalty or with decoupled weight decay (Loshchilov & Hutter 2019).

    m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − α m̂ / (√v̂ + ε), where m̂ = m / (1 − β₁ⁿ) and v̂ likewise in the
    n-th step. Decoupled: θ is multiplied by 1 − α λ before the step, and g has no penalty.
    """

    beta1: float
    beta2: float
    epsilon: float
    decoupled: bool

    @property
    def moments(self) -> int:
        return 2

    def factors(self, counts: Sequence[int]) -> np.ndarray:
        corrections = np.array([1 - self.beta1**count for count in counts])  # Python's powers, as in torch.optim
        roots = np.array([(1 - self.beta2**count) ** 0.5 for count in counts])
        decay = 1 - self.rates * self.penalties if self.decoupled else self.penalties
        return per_learner(-self.rates / corrections, roots, decay, learners=len(counts))

    def moved(self, parameter: Tensor, gradient: Tensor, moments: Tensors, factors: Tensors) -> Tensor:
        mean, square = moments
        step, root, decay = factors
        if not self.decoupled:
            gradient = self.with_penalty(gradient, parameter, decay)
        elif self.decays:
            parameter = parameter * decay
        mean.lerp_(gradient, 1 - self.beta1)
        square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        divisor = square.sqrt().div_(root).add_(self.epsilon)
        return torch.addcdiv(parameter, mean * step, divisor, out=divisor)


@dataclass(frozen=True)
class SGD(Rule):
    """Stochastic gradient descent: m ← μ m + g, θ ← θ − α m."""

    momentum: float

    @property
    def moments(self) -> int:
        return 1 if self.momentum else 0

    def factors(self, counts: Sequence[int]) -> np.ndarray:
        return per_learner(-self.rates, self.penalties, learners=len(counts))

    def moved(self, parameter: Tensor, gradient: Tensor, moments: Tensors, factors: Tensors) -> Tensor:
        step, decay = factors
        gradient = self.with_penalty(gradient, parameter, decay)
        if self.momentum:
            (mean,) = moments
            gradient = mean.mul_(self.momentum).add_(gradient)
        return parameter.addcmul(gradient, step)


@dataclass(frozen=True)
class RMSprop(Rule):
    """RMSprop (Tieleman & Hinton 2012): v ← ρ v + (1 − ρ) g², m ← μ m + g / (√v + ε), θ ← θ − α m."""

    decay: float
    epsilon: float
    momentum: float

    @property
    def moments(self) -> int:
        return 2 if self.momentum else 1

    def factors(self, counts: Sequence[int]) -> np.ndarray:
        return per_learner(-self.rates, self.penalties, learners=len(counts))

    def moved(self, parameter: Tensor, gradient: Tensor, moments: Tensors, factors: Tensors) -> Tensor:
        square, *means = moments
        step, penalty = factors
        gradient = self.with_penalty(gradient, parameter, penalty)
        square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        divisor = square.sqrt().add_(self.epsilon)
        if not means:
            return parameter.addcdiv(gradient * step, divisor)
        (mean,) = means
        return parameter.addcmul(mean.mul_(self.momentum).addcdiv_(gradient, divisor), step)
