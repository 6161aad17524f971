"""Distributions over actions for given outputs of a network, with the derivatives that learning needs.

The derivatives are those with respect to the outputs. Automatic differentiation of the same formulas takes three times
as long for a mini-batch of one learner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Distribution(Protocol):
    """π(· | s) at outputs [..., K]."""

    @property
    def entropy(self) -> Tensor:
        """H(π(· | s)) in nats, [...]."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """log π(a | s) in nats, [...]."""

    def log_prob_gradient(self, actions: Tensor) -> Tensor:
        """∂ log π(a | s) / ∂ outputs, [..., K]."""

    def entropy_gradient(self) -> Tensor:
        """∂ H(π(· | s)) / ∂ outputs, [..., K]."""


class CategoricalDistribution:
    """Softmax over logits z [..., K]: log π_i = z_i − log Σ_j exp z_j."""

    def __init__(self, logits: Tensor) -> None:
        self.log_probs = logits.log_softmax(-1)

    @cached_property
    def probs(self) -> Tensor:
        """π_i, [..., K]."""
        return self.log_probs.exp()

    @cached_property
    def entropy(self) -> Tensor:
        return -(self.probs * self.log_probs).sum(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.log_probs.gather(-1, actions[..., None]).squeeze(-1)

    def log_prob_gradient(self, actions: Tensor) -> Tensor:
        """1[i = a] − π_i."""
        action = actions[..., None]
        return self.probs.neg().scatter_add_(-1, action, torch.ones_like(action, dtype=self.probs.dtype))

    def entropy_gradient(self) -> Tensor:
        """−π_i (log π_i + H)."""
        return -self.probs * (self.log_probs + self.entropy[..., None])


class BernoulliDistribution:
    """One logit z [..., 1] for two actions: π(1 | s) = σ(z). The log-probability is minus the binary cross-entropy."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits.squeeze(-1)

    @cached_property
    def up(self) -> Tensor:
        """σ(z), [...]."""
        return self.logits.sigmoid()

    @cached_property
    def entropy(self) -> Tensor:
        return functional.softplus(self.logits) - self.logits * self.up

    def log_prob(self, actions: Tensor) -> Tensor:
        targets = actions.to(self.logits.dtype)
        return -functional.binary_cross_entropy_with_logits(self.logits, targets, reduction="none")

    def log_prob_gradient(self, actions: Tensor) -> Tensor:
        """a − σ(z)."""
        return (actions - self.up)[..., None]

    def entropy_gradient(self) -> Tensor:
        """−z σ(z) (1 − σ(z))."""
        return (-self.logits * self.up * (1 - self.up))[..., None]


class MultiDiscreteDistribution:
    """Independent softmaxes over parts of the logits [..., K]; actions are [..., n], one number for each part."""

    def __init__(self, logits: Tensor, parts: Sequence[slice]) -> None:
        """`parts` are the n parts of the logits, one after the other."""
        self.parts = [CategoricalDistribution(logits[..., part]) for part in parts]

    @cached_property
    def entropy(self) -> Tensor:
        return torch.stack([part.entropy for part in self.parts]).sum(0)

    def log_prob(self, actions: Tensor) -> Tensor:
        return torch.stack([part.log_prob(action) for part, action in self._each(actions)]).sum(0)

    def log_prob_gradient(self, actions: Tensor) -> Tensor:
        """That of each softmax for its own number."""
        return torch.cat([part.log_prob_gradient(action) for part, action in self._each(actions)], -1)

    def entropy_gradient(self) -> Tensor:
        """That of each softmax."""
        return torch.cat([part.entropy_gradient() for part in self.parts], -1)

    def _each(self, actions: Tensor) -> Iterator[tuple[CategoricalDistribution, Tensor]]:
        return zip(self.parts, actions.unbind(-1), strict=True)


class MultiBinaryDistribution:
    """Independent choices with one logit each, [..., n]; actions are [..., n] of 0 and 1."""

    def __init__(self, logits: Tensor) -> None:
        self.each = BernoulliDistribution(logits[..., None])

    @cached_property
    def entropy(self) -> Tensor:
        return self.each.entropy.sum(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.each.log_prob(actions).sum(-1)

    def log_prob_gradient(self, actions: Tensor) -> Tensor:
        """That of each choice."""
        return self.each.log_prob_gradient(actions).squeeze(-1)

    def entropy_gradient(self) -> Tensor:
        """That of each choice."""
        return self.each.entropy_gradient().squeeze(-1)
