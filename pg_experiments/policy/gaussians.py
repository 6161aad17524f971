"""Gaussian distributions over vectors of real numbers, as they are or squashed by tanh, with their derivatives.

Outputs are [..., 2A]: A means μ, then A numbers that determine log σ. Actions are [..., A].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
LOG_2 = math.log(2)
# of the quadrature of E[log(1 − tanh² u)]: its error is below 2·10⁻⁵ nats for σ ≤ 1, 0.004 for σ ≤ 2, 0.4 for σ ≤ 10
NODES = 16
_nodes, _weights = np.polynomial.hermite_e.hermegauss(NODES)


@dataclass(frozen=True)
class LogStd:
    """log σ as a function of an output x of the network, between two limits.

    It is c(x + x₀) with c(y) = low + softplus(high − softplus(high − y) − low), as in Chua et al. 2018 (appendix A.1).
    Well within the limits, c(y) is close to y. Its derivative is positive everywhere, so that a policy at a limit can
    move away from it. x₀ is chosen so that x = 0 stands for the initial value.

    Attributes:
        initial, low, high: log σ at x = 0, and the limits; low < initial < high.
    """

    initial: float
    low: float
    high: float

    @cached_property
    def offset(self) -> float:
        """x₀, the inverse of c at the initial value."""
        below = _inverse_softplus(self.initial - self.low)
        return self.high - _inverse_softplus(self.high - self.low - below)

    def __call__(self, outputs: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """log σ, and what computes its derivative by the outputs, where it is wanted; shapes as the outputs'."""
        to_high = self.high - self.offset - outputs
        above_low = self.high - softplus(to_high) - self.low
        return self.low + softplus(above_low), lambda: to_high.sigmoid() * above_low.sigmoid()


class GaussianDistribution:
    """Independent normal distributions N(μ_i, σ_i²)."""

    def __init__(self, outputs: Tensor, log_std: LogStd) -> None:
        self.mean, scales = outputs.chunk(2, -1)
        self.log_std, self._slope = log_std(scales)  # [..., A]

    @cached_property
    def slope(self) -> Tensor:
        """∂ log σ / ∂ output, [..., A]."""
        return self._slope()

    @cached_property
    def entropy(self) -> Tensor:
        """Σ_i log σ_i + ½ log 2πe."""
        return self._normal_entropy()

    def _normal_entropy(self) -> Tensor:
        return (self.log_std + (HALF_LOG_2PI + 0.5)).sum(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Σ_i −½ z_i² − log σ_i − ½ log 2π, with z = (a − μ) / σ."""
        return (-0.5 * self._standardised(actions).square() - self.log_std - HALF_LOG_2PI).sum(-1)

    def log_prob_gradient(self, actions: Tensor) -> Tensor:
        """z_i / σ_i by the means, and z_i² − 1 by log σ_i."""
        z = self._standardised(actions)
        return torch.cat([z * (-self.log_std).exp(), (z.square() - 1) * self.slope], -1)

    def entropy_gradient(self) -> Tensor:
        """0 by the means, and 1 by log σ_i."""
        return torch.cat([torch.zeros_like(self.mean), self.slope.expand_as(self.mean)], -1)

    def _standardised(self, actions: Tensor) -> Tensor:
        return (actions - self.mean) * (-self.log_std).exp()


class SquashedGaussianDistribution(GaussianDistribution):
    """The distribution of tanh u, u ~ N(μ, σ²), on (−1, 1) (Haarnoja et al. 2018, appendix C).

    Actions are given as u, so that those whose tanh is rounded to ±1 keep their probability. The density is that of
    tanh u: log π = log N(u) − Σ_i log(1 − tanh² u_i).
    """

    @cached_property
    def entropy(self) -> Tensor:
        """H(N(μ, σ²)) + Σ_i E[log(1 − tanh² u_i)]. The expectation is a Gauss-Hermite quadrature with 16 nodes."""
        return self._normal_entropy() + (log_slope(self._at_nodes) @ self._weights).sum(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return super().log_prob(actions) - log_slope(actions).sum(-1)

    def entropy_gradient(self) -> Tensor:
        """That of the normal distribution, plus that of the quadrature: d log(1 − tanh² u) / du = −2 tanh u."""
        of_nodes = -2 * self._at_nodes.tanh() * self._weights
        by_std = (of_nodes @ self._nodes) * self.log_std.exp()
        of_squashing = torch.cat([of_nodes.sum(-1), by_std * self.slope], -1)
        return super().entropy_gradient() + of_squashing

    @cached_property
    def _at_nodes(self) -> Tensor:
        """[..., A, nodes]: μ + σ x at the nodes x of the quadrature."""
        return self.mean[..., None] + self.log_std.exp()[..., None] * self._nodes

    @property
    def _nodes(self) -> Tensor:
        return torch.as_tensor(_nodes).to(self.mean)

    @property
    def _weights(self) -> Tensor:
        return torch.as_tensor(_weights / _weights.sum()).to(self.mean)


def log_slope(u: Tensor) -> Tensor:
    """log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u)), which is finite for any finite u."""
    return 2 * (LOG_2 - u - softplus(-2 * u))


def _inverse_softplus(y: float) -> float:
    """x with log(1 + eˣ) = y > 0."""
    return y + math.log(-math.expm1(-y))
