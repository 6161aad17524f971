"""Heads: distributions over an action space, parameterised by a network's outputs.

A head is built from the action space. Outputs are [..., K], noise is [..., N], actions [..., *action_shape], and other
results [...]. A head draws no random numbers: `sample` takes the noise that `noise` makes from uniform numbers, for
many steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from torch import Tensor

from pg_experiments.policy.compiled_heads import CompilableHead
from pg_experiments.policy.discrete_heads import Bernoulli, Categorical, MultiBinaryHead, MultiDiscreteHead
from pg_experiments.policy.distributions import Distribution
from pg_experiments.policy.gaussian_heads import GaussianHead, Spread, SquashedGaussianHead
from pg_experiments.policy.spaces import describe, is_continuous
from pg_experiments.support.errors import UserError

HeadName = Literal[
    "auto", "categorical", "bernoulli", "multi_discrete", "multi_binary", "gaussian", "squashed_gaussian"
]
Array = TypeVar("Array", Tensor, np.ndarray)


class Head(Protocol):
    """A distribution over actions.

    Attributes:
        num_outputs: K, number of outputs of the network for each step.
        num_noise: N, number of uniform numbers for each step.
        action_shape: shape of an action in a rollout; () for one number.
        is_continuous: whether actions are float32; int64 otherwise.
        max_entropy: upper bound of the entropy in nats; None where there is none, or no lower bound of 0.
    """

    num_outputs: int
    action_shape: tuple[int, ...]
    is_continuous: bool
    max_entropy: float | None

    @property
    def num_noise(self) -> int: ...

    def noise(self, uniform: Tensor) -> Tensor:
        """Transforms uniform numbers in [0, 1) to the noise that `sample` takes, of the same shape."""

    def sample(self, outputs: Array, noise: Array) -> Array:
        """Samples actions from the distribution, for tensors or for NumPy arrays."""

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        """Converts actions [n, *action_shape] to elements of the action space, [n, *shape of the space]."""

    def summaries(self, outputs: Tensor, names: Sequence[str] | None) -> dict[str, Tensor]:
        """Numbers [...] that describe the distribution, by name, for histograms; `names` are the actions'."""

    def at(self, outputs: Tensor) -> Distribution:
        """The distribution for given outputs."""


@runtime_checkable
class WithProbabilities(Protocol):
    """A head with a finite number A of actions."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """π(a | s) of every action, [..., A]."""


class Greedy:
    """A head that always selects the mode: the most probable action (of equally probable ones the first), or the mean.

    Of a squashed Gaussian, it is the tanh of the mean.
    """

    is_greedy = True

    def __init__(self, head: Head) -> None:
        self.num_outputs, self.num_noise, self.max_entropy = head.num_outputs, head.num_noise, head.max_entropy
        self.action_shape, self.is_continuous = head.action_shape, head.is_continuous
        if isinstance(head, CompilableHead):  # that of a plugin need not be one
            self.rule, self.limits, self.bounds = head.rule, head.limits, head.bounds
        self.sample, self.for_environment = head.sample, head.for_environment
        self.summaries, self.at = head.summaries, head.at

    def noise(self, uniform: Tensor) -> Tensor:
        """Zeros, so that `sample` returns the argmax of z_i, or 1 where z is above 0, or μ."""
        return torch.zeros_like(uniform)


class _Kind:
    """What a head is built for."""

    def __init__(self, space: type, build: Callable[[gymnasium.Space[Any], Spread], Head]) -> None:
        self.space, self.build = space, build


_KINDS: Mapping[str, _Kind] = {  # of each action space, the first is what `auto` selects
    "categorical": _Kind(Discrete, lambda space, _: Categorical(space)),
    "bernoulli": _Kind(Discrete, lambda space, _: Bernoulli(space)),
    "multi_discrete": _Kind(MultiDiscrete, lambda space, _: MultiDiscreteHead(space)),
    "multi_binary": _Kind(MultiBinary, lambda space, _: MultiBinaryHead(space)),
    "gaussian": _Kind(Box, GaussianHead),
    "squashed_gaussian": _Kind(Box, SquashedGaussianHead),
}


def head_of(name: str, actions: gymnasium.Space[Any], spread: Spread) -> Head:
    """Builds a head for an action space.

    Args:
        name: a `HeadName`; `auto` selects categorical, multi_discrete, multi_binary or gaussian.
        actions: the action space.
        spread: the standard deviation of a Gaussian.

    Raises:
        UserError: the head does not fit the action space, or none does.
    """
    fits = [kind for kind, head in _KINDS.items() if _fits(actions, head.space)]
    if not fits:
        raise UserError(
            f"policy.head={name}: the environment's actions are {describe(actions)}; supported are Box of real "
            "numbers, Discrete, MultiDiscrete and MultiBinary"
        )
    chosen = fits[0] if name == "auto" else name
    if chosen not in fits:
        raise UserError(
            f"policy.head={name}: the environment's actions are {describe(actions)}; expected auto, {' or '.join(fits)}"
        )
    return _KINDS[chosen].build(actions, spread)


def _fits(space: gymnasium.Space[Any], kind: type) -> bool:
    return isinstance(space, kind) and (kind is not Box or is_continuous(space))
