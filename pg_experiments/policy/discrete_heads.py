"""Heads over finite action spaces: softmax, one logit for two actions, and vectors of such choices."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete
from torch import Tensor

from pg_experiments.policy.compiled_heads import BERNOULLI, CATEGORICAL
from pg_experiments.policy.distributions import (
    BernoulliDistribution,
    CategoricalDistribution,
    MultiBinaryDistribution,
    MultiDiscreteDistribution,
)
from pg_experiments.support.errors import UserError

Array = TypeVar("Array", Tensor, np.ndarray)


class _Finite:
    """Base class of heads whose network has an output for each number of noise."""

    is_greedy = False
    is_continuous = False
    limits, bounds = np.zeros(3), np.zeros((2, 0), dtype=np.float32)
    action_shape: tuple[int, ...] = ()
    num_outputs: int

    @property
    def num_noise(self) -> int:
        return self.num_outputs


class _OfDiscrete(_Finite, ABC):
    """Base class of heads over a `Discrete` space. Heads count actions from 0, the space counts from `start`."""

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        assert isinstance(space, Discrete), "checked by `head_of`"
        self.num_actions = int(space.n)
        self.start = int(space.start)
        self.max_entropy: float | None = math.log(self.num_actions)

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        return actions + self.start

    @abstractmethod
    def probabilities(self, outputs: Tensor) -> Tensor:
        """π(a | s) of every action, [..., A]."""

    def summaries(self, outputs: Tensor, names: Sequence[str] | None) -> dict[str, Tensor]:
        """The probabilities of each action (of two actions, only of the second)."""
        labels = names or [str(action) for action in range(self.num_actions)]
        shown = [1] if len(labels) == 2 else range(len(labels))
        probabilities = self.probabilities(outputs)
        return {f"probability_of_{labels[action]}": probabilities[..., action] for action in shown}


class Categorical(_OfDiscrete):
    """Softmax over one logit per action."""

    rule: int | None = CATEGORICAL

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        super().__init__(space)
        self.num_outputs = self.num_actions

    def noise(self, uniform: Tensor) -> Tensor:
        return gumbel(uniform)

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
        return logistic(uniform)

    def sample(self, outputs: Array, noise: Array) -> Array:
        return (noise < outputs).squeeze(-1) * 1  # to int64, in torch and in NumPy

    def probabilities(self, outputs: Tensor) -> Tensor:
        up = outputs.sigmoid()
        return torch.cat([1 - up, up], -1)

    def at(self, outputs: Tensor) -> BernoulliDistribution:
        return BernoulliDistribution(outputs)


class MultiDiscreteHead(_Finite):
    """Independent softmaxes, one for each of the n numbers of an action. Actions are [..., n], counted from 0."""

    rule: int | None = None

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        assert isinstance(space, MultiDiscrete), "checked by `head_of`"
        self.space = space
        sizes = space.nvec.ravel().tolist()
        ends = np.cumsum([0, *sizes]).tolist()
        self.parts = [slice(a, b) for a, b in pairwise(ends)]  # of the outputs, those of each number
        self.num_outputs = ends[-1]
        self.action_shape = (len(sizes),)
        self.max_entropy: float | None = sum(map(math.log, sizes))

    def noise(self, uniform: Tensor) -> Tensor:
        return gumbel(uniform)

    def sample(self, outputs: Array, noise: Array) -> Array:
        noisy = outputs + noise
        chosen: list[Any] = [noisy[..., part].argmax(-1) for part in self.parts]
        actions: Array = torch.stack(chosen, -1) if isinstance(noisy, Tensor) else np.stack(chosen, -1)  # type: ignore[assignment]  # as the outputs
        return actions

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        moved: np.ndarray = actions.reshape(-1, *self.space.shape) + self.space.start
        return moved.astype(self.space.dtype)

    def summaries(self, outputs: Tensor, names: Sequence[str] | None) -> dict[str, Tensor]:
        """The probability of each choice, as `probability_of_CHOICE_in_PLACE`."""
        found = {}
        for place, part in enumerate(self.parts):
            for choice, probability in enumerate(outputs[..., part].softmax(-1).unbind(-1)):
                found[f"probability_of_{choice}_in_{place}"] = probability
        return found

    def at(self, outputs: Tensor) -> MultiDiscreteDistribution:
        return MultiDiscreteDistribution(outputs, self.parts)


class MultiBinaryHead(_Finite):
    """Independent choices of 0 or 1, one logit for each of the n numbers of an action. Actions are [..., n]."""

    rule: int | None = None

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        assert isinstance(space, MultiBinary), "checked by `head_of`"
        self.space = space
        self.num_outputs = math.prod(space.shape)
        self.action_shape = (self.num_outputs,)
        self.max_entropy: float | None = self.num_outputs * math.log(2)

    def noise(self, uniform: Tensor) -> Tensor:
        return logistic(uniform)

    def sample(self, outputs: Array, noise: Array) -> Array:
        return (noise < outputs) * 1  # to int64, in torch and in NumPy

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        return actions.reshape(-1, *self.space.shape).astype(self.space.dtype)

    def summaries(self, outputs: Tensor, names: Sequence[str] | None) -> dict[str, Tensor]:
        """The probability of a 1 in each place, as `probability_of_1_in_PLACE`."""
        return {f"probability_of_1_in_{place}": up for place, up in enumerate(outputs.sigmoid().unbind(-1))}

    def at(self, outputs: Tensor) -> MultiBinaryDistribution:
        return MultiBinaryDistribution(outputs)


def gumbel(uniform: Tensor) -> Tensor:
    """Gumbel noise g = −log(−log u): the argmax of z_i + g_i is i with probability π_i (Gumbel 1954)."""
    return -torch.log(-torch.log(uniform))


def logistic(uniform: Tensor) -> Tensor:
    """Logistic noise log u − log(1 − u), which is below z with probability σ(z)."""
    return torch.log(uniform) - torch.log1p(-uniform)
