"""The group `optimizer`: the update rule of the policy's parameters, and its learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

from pg_experiments.optimizer import rules
from pg_experiments.optimizer.rules import Rule
from pg_experiments.optimizer.stacked import NamedParameters, StackedOptimizer
from pg_experiments.tensors.learners import Learners

Schedule = Literal["constant", "linear", "cosine", "exponential"]


def schedule_factor(schedule: Schedule, final_fraction: float, progress: float) -> float:
    """The factor of the learning rate at `progress` (0 to 1) of the run; 1 at the start.

    linear: 1 − (1 − f) p. cosine: f + (1 − f)(1 + cos πp)/2 (Loshchilov & Hutter 2017). exponential: f^p.
    f is `final_fraction`, the factor at p = 1.
    """
    progress = min(max(progress, 0.0), 1.0)
    if schedule == "linear":
        return 1 - (1 - final_fraction) * progress
    if schedule == "cosine":
        return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * progress)) / 2
    if schedule == "exponential":
        return float(final_fraction**progress)
    return 1.0


LearningRate = Annotated[float, Gt(0), Le(1e30)]  # torch refuses step sizes beyond the range of float32
Fraction = Annotated[float, Ge(0), Lt(1)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class OptimizerOption:
    """Settings of all optimizers."""

    learning_rate: LearningRate
    weight_decay: NonNegative
    schedule: Schedule
    final_fraction: Annotated[float, Gt(0), Le(1)]
    max_grad_norm: Positive | None

    def factor(self, progress: float) -> float:
        """The schedule's factor at `progress` (0 to 1) of the run."""
        return schedule_factor(self.schedule, self.final_fraction, progress)

    def build(self, parameters: NamedParameters, learners: Learners) -> StackedOptimizer:
        """Builds an optimizer of stacked parameters."""
        rates = learners.values("optimizer.learning_rate", self.learning_rate)
        decays = learners.values("optimizer.weight_decay", self.weight_decay)
        return StackedOptimizer(parameters, self.rule(rates, decays), self.max_grad_norm)

    def rule(self, learning_rates: Tensor, weight_decays: Tensor) -> Rule:
        """Builds the element-wise rule from values [R] of the learners."""
        raise TypeError(f"{type(self).__name__} names no rule")


@dataclass(frozen=True)
class Adam(OptimizerOption):
    """Adam (Kingma & Ba 2015); weight decay is L2, added to the gradient."""

    beta1: Fraction
    beta2: Fraction
    epsilon: Positive
    decoupled: ClassVar[bool] = False

    def rule(self, learning_rates: Tensor, weight_decays: Tensor) -> Rule:
        return rules.Adam(learning_rates, weight_decays, self.beta1, self.beta2, self.epsilon, self.decoupled)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    decoupled: ClassVar[bool] = True


@dataclass(frozen=True)
class SGD(OptimizerOption):
    """Stochastic gradient descent."""

    momentum: Fraction

    def rule(self, learning_rates: Tensor, weight_decays: Tensor) -> Rule:
        return rules.SGD(learning_rates, weight_decays, self.momentum)


@dataclass(frozen=True)
class RMSprop(OptimizerOption):
    """RMSprop (Tieleman & Hinton 2012)."""

    decay: Fraction
    epsilon: Positive
    momentum: Fraction

    def rule(self, learning_rates: Tensor, weight_decays: Tensor) -> Rule:
        return rules.RMSprop(learning_rates, weight_decays, self.decay, self.epsilon, self.momentum)


OPTIONS: dict[str, type] = {"adam": Adam, "adamw": AdamW, "sgd": SGD, "rmsprop": RMSprop}
