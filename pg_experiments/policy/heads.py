"""From a network's outputs to actions: the distributions over a discrete action space.

A head is built from the action space. Outputs are [..., K], actions and everything else [...]. A head has no randomness
of its own: noise of the outputs' shape is handed in, made by `noise` from uniform numbers for many steps at once.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeVar

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor
from torch.nn import functional

from pg_experiments.support.errors import UserError

Array = TypeVar("Array", Tensor, np.ndarray)


class Head(Protocol):
    """A distribution over actions.

    Attributes:
        num_outputs: K, what the network gives for each step.
        max_entropy: the largest entropy that it can have, in nats; None where there is no limit.
    """

    num_outputs: int
    max_entropy: float | None

    def noise(self, uniform: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) to the noise that `sample` takes, same shape."""

    def sample(self, outputs: Array, noise: Array) -> Array:
        """Actions drawn from the distribution [...]; of torch's tensors or of NumPy's arrays."""

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        """Actions as the action space has them."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """π(a | s) of every action, [..., A]."""

    def log_prob(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """log π(a | s) in nats, [...]."""

    def entropy(self, outputs: Tensor) -> Tensor:
        """H(π(· | s)) in nats, [...]."""


class _OfDiscrete:
    """What heads over a `Discrete` space share: actions are counted from 0 here, and from `start` there."""

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        """Raises UserError where the actions are no `Discrete` space."""
        if not isinstance(space, Discrete):
            raise UserError(f"policy.head: the environment's actions are {describe(space)}; supported is Discrete")
        self.num_actions = int(space.n)
        self.start = int(space.start)
        self.max_entropy: float | None = math.log(self.num_actions)

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        return actions + self.start


class Categorical(_OfDiscrete):
    """Softmax over one logit per action: log π_i = z_i − log Σ_j exp z_j."""

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        super().__init__(space)
        self.num_outputs = self.num_actions

    def noise(self, uniform: Tensor) -> Tensor:
        """Gumbel noise −log(−log u): the largest of z_i + g_i is i with probability π_i (Gumbel 1954)."""
        return -torch.log(-torch.log(uniform))

    def sample(self, outputs: Array, noise: Array) -> Array:
        actions: Array = (outputs + noise).argmax(-1)
        return actions

    def probabilities(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(-1)

    def log_prob(self, outputs: Tensor, actions: Tensor) -> Tensor:
        return outputs.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)

    def entropy(self, outputs: Tensor) -> Tensor:
        log_probs = outputs.log_softmax(-1)
        return -(log_probs.exp() * log_probs).sum(-1)


class Bernoulli(_OfDiscrete):
    """One logit z for two actions: π(1 | s) = σ(z). The log-probability is minus the binary cross-entropy."""

    num_outputs = 1

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        super().__init__(space)
        if self.num_actions != 2:
            raise UserError(
                f"policy.head=bernoulli: chooses between 2 actions, and this environment has {self.num_actions}; "
                "use policy.head=categorical"
            )

    def noise(self, uniform: Tensor) -> Tensor:
        """Logistic noise log u − log(1 − u): it lies below z with probability σ(z)."""
        return torch.log(uniform) - torch.log1p(-uniform)

    def sample(self, outputs: Array, noise: Array) -> Array:
        return (noise < outputs).squeeze(-1) * 1  # an integer, in torch and in NumPy

    def probabilities(self, outputs: Tensor) -> Tensor:
        up = outputs.sigmoid()
        return torch.cat([1 - up, up], -1)

    def log_prob(self, outputs: Tensor, actions: Tensor) -> Tensor:
        z = outputs.squeeze(-1)
        return -functional.binary_cross_entropy_with_logits(z, actions.to(z.dtype), reduction="none")

    def entropy(self, outputs: Tensor) -> Tensor:
        z = outputs.squeeze(-1)
        return functional.softplus(z) - z * z.sigmoid()


class Greedy:
    """A head whose every action is the most probable one, and of equally probable ones the first."""

    def __init__(self, head: Head) -> None:
        self.num_outputs, self.max_entropy = head.num_outputs, head.max_entropy
        self.sample, self.for_environment = head.sample, head.for_environment
        self.probabilities, self.log_prob, self.entropy = head.probabilities, head.log_prob, head.entropy

    def noise(self, uniform: Tensor) -> Tensor:
        """None: the largest z_i, or 1 where z is above 0."""
        return torch.zeros_like(uniform)


def describe(space: gymnasium.Space[Any]) -> str:
    """A space in words, for a message."""
    if isinstance(space, gymnasium.spaces.Box):
        return f"continuous, of shape {space.shape}"
    return type(space).__name__


HEADS: dict[str, type[Categorical] | type[Bernoulli]] = {"categorical": Categorical, "bernoulli": Bernoulli}
