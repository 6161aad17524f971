"""Heads: distributions over a discrete action space, parameterised by a network's outputs.

A head is built from the action space. Outputs are [..., K], actions and other results [...]. A head draws no random
numbers: `sample` takes noise with the shape of the outputs, which `noise` makes from uniform numbers for many steps.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeVar

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from pg_experiments.policy.compiled_heads import BERNOULLI, CATEGORICAL
from pg_experiments.policy.distributions import BernoulliDistribution, CategoricalDistribution, Distribution
from pg_experiments.support.errors import UserError

Array = TypeVar("Array", Tensor, np.ndarray)


class Head(Protocol):
    """A distribution over actions.

    Attributes:
        num_outputs: K, number of outputs of the network for each step.
        max_entropy: upper bound of the entropy in nats; None where there is none.
    """

    num_outputs: int
    max_entropy: float | None

    def noise(self, uniform: Tensor) -> Tensor:
        """Transforms uniform numbers in [0, 1) to the noise that `sample` takes, of the same shape."""

    def sample(self, outputs: Array, noise: Array) -> Array:
        """Samples actions [...] from the distribution, for tensors or for NumPy arrays."""

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        """Converts actions to elements of the action space."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """π(a | s) of every action, [..., A]."""

    def at(self, outputs: Tensor) -> Distribution:
        """The distribution for given outputs."""


class _OfDiscrete:
    """Base class of heads over a `Discrete` space. Heads count actions from 0, the space counts from `start`."""

    is_greedy = False

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        """Raises UserError where the action space is not `Discrete`."""
        if not isinstance(space, Discrete):
            raise UserError(f"policy.head: the environment's actions are {describe(space)}; supported is Discrete")
        self.num_actions = int(space.n)
        self.start = int(space.start)
        self.max_entropy: float | None = math.log(self.num_actions)

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        return actions + self.start


class Categorical(_OfDiscrete):
    """Softmax over one logit per action."""

    rule: int | None = CATEGORICAL

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        super().__init__(space)
        self.num_outputs = self.num_actions

    def noise(self, uniform: Tensor) -> Tensor:
        """Gumbel noise g = −log(−log u): the argmax of z_i + g_i is i with probability π_i (Gumbel 1954)."""
        return -torch.log(-torch.log(uniform))

    def sample(self, outputs: Array, noise: Array) -> Array:
        actions: Array = (outputs + noise).argmax(-1)
        return actions

    def probabilities(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(-1)

    def at(self, outputs: Tensor) -> CategoricalDistribution:
        return CategoricalDistribution(outputs)


class Bernoulli(_OfDiscrete):
    """One logit z for two actions: π(1 | s) = σ(z)."""

    num_outputs = 1
    rule: int | None = BERNOULLI

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        super().__init__(space)
        if self.num_actions != 2:
            raise UserError(
                f"policy.head=bernoulli: chooses between 2 actions, and this environment has {self.num_actions}; "
                "use policy.head=categorical"
            )

    def noise(self, uniform: Tensor) -> Tensor:
        """Logistic noise log u − log(1 − u), which is below z with probability σ(z)."""
        return torch.log(uniform) - torch.log1p(-uniform)

    def sample(self, outputs: Array, noise: Array) -> Array:
        return (noise < outputs).squeeze(-1) * 1  # to int64, in torch and in NumPy

    def probabilities(self, outputs: Tensor) -> Tensor:
        up = outputs.sigmoid()
        return torch.cat([1 - up, up], -1)

    def at(self, outputs: Tensor) -> BernoulliDistribution:
        return BernoulliDistribution(outputs)


class Greedy:
    """A head that always selects the most probable action; the first of equally probable ones."""

    is_greedy = True

    def __init__(self, head: Head) -> None:
        self.num_outputs, self.max_entropy = head.num_outputs, head.max_entropy
        self.rule: int | None = getattr(head, "rule", None)  # a head of a plugin need not have a compiled form
        self.sample, self.for_environment = head.sample, head.for_environment
        self.probabilities, self.at = head.probabilities, head.at

    def noise(self, uniform: Tensor) -> Tensor:
        """Zeros, so that `sample` returns the argmax of z_i, or 1 where z is above 0."""
        return torch.zeros_like(uniform)


def describe(space: gymnasium.Space[Any]) -> str:
    """A description of a space for messages."""
    if isinstance(space, gymnasium.spaces.Box):
        return f"continuous, of shape {space.shape}"
    return type(space).__name__


HEADS: dict[str, type[Categorical] | type[Bernoulli]] = {"categorical": Categorical, "bernoulli": Bernoulli}
