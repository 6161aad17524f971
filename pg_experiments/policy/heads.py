"""From logits to actions: the distributions that a policy can have over discrete actions.

Logits are [..., K], actions and everything else [...]. A head has no randomness of its own: noise of the logits'
shape is handed in, made from uniform numbers by `noise` for many steps at once, because it is then cheap.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pg_experiments.support.errors import UserError

Array = TypeVar("Array", Tensor, np.ndarray)


class Head(Protocol):
    """What every head offers."""

    def num_logits(self, num_actions: int) -> int:
        """K for that many actions. Raises UserError where the head does not fit them."""

    def noise(self, uniform: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) to the noise that `sample` takes, same shape."""

    def sample(self, logits: Array, noise: Array) -> Array:
        """Actions drawn from the distribution, int64 [...]; of torch's tensors or of NumPy's arrays."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """π(a | s) of every action, [..., A]."""

    def log_prob(self, logits: Tensor, actions: Tensor) -> Tensor:
        """log π(a | s) in nats, [...]."""

    def entropy(self, logits: Tensor) -> Tensor:
        """H(π(· | s)) in nats, [...]."""


class Categorical:
    """Softmax over one logit per action: log π_i = z_i − log Σ_j exp z_j."""

    def num_logits(self, num_actions: int) -> int:
        return num_actions

    def noise(self, uniform: Tensor) -> Tensor:
        """Gumbel noise −log(−log u): the largest of z_i + g_i is i with probability π_i (Gumbel 1954)."""
        return -torch.log(-torch.log(uniform))

    def sample(self, logits: Array, noise: Array) -> Array:
        actions: Array = (logits + noise).argmax(-1)
        return actions

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)

    def log_prob(self, logits: Tensor, actions: Tensor) -> Tensor:
        return logits.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)

    def entropy(self, logits: Tensor) -> Tensor:
        log_probs = logits.log_softmax(-1)
        return -(log_probs.exp() * log_probs).sum(-1)


class Bernoulli:
    """One logit z for two actions: π(1 | s) = σ(z). The log-probability is minus the binary cross-entropy."""

    def num_logits(self, num_actions: int) -> int:
        if num_actions != 2:
            raise UserError(
                f"policy.head=bernoulli: chooses between 2 actions, and this environment has {num_actions}; "
                "use policy.head=categorical"
            )
        return 1

    def noise(self, uniform: Tensor) -> Tensor:
        """Logistic noise log u − log(1 − u): it lies below z with probability σ(z)."""
        return torch.log(uniform) - torch.log1p(-uniform)

    def sample(self, logits: Array, noise: Array) -> Array:
        return (noise < logits).squeeze(-1) * 1  # an integer, in torch and in NumPy

    def probabilities(self, logits: Tensor) -> Tensor:
        up = logits.sigmoid()
        return torch.cat([1 - up, up], -1)

    def log_prob(self, logits: Tensor, actions: Tensor) -> Tensor:
        z = logits.squeeze(-1)
        return -functional.binary_cross_entropy_with_logits(z, actions.to(z.dtype), reduction="none")

    def entropy(self, logits: Tensor) -> Tensor:
        z = logits.squeeze(-1)
        return functional.softplus(z) - z * z.sigmoid()


class Greedy:
    """A head whose every action is the most probable one, and of equally probable ones the first."""

    def __init__(self, head: Head) -> None:
        self.num_logits, self.sample = head.num_logits, head.sample
        self.probabilities, self.log_prob, self.entropy = head.probabilities, head.log_prob, head.entropy

    def noise(self, uniform: Tensor) -> Tensor:
        """None: the largest z_i, or 1 where z is above 0."""
        return torch.zeros_like(uniform)


HEADS: dict[str, type[Categorical] | type[Bernoulli]] = {"categorical": Categorical, "bernoulli": Bernoulli}
