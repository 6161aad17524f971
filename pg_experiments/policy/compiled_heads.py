"""The heads' choice of an action, as a function that compiled loops call."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np

from pg_experiments.policy.normal_noise import HELPERS as NORMAL
from pg_experiments.policy.normal_noise import normal_number
from pg_experiments.tensors.compiled import helper

CATEGORICAL, BERNOULLI, GAUSSIAN, SQUASHED_GAUSSIAN = range(4)  # rules
LINEAR_ABOVE = 20.0  # where torch's softplus is the identity
HALF, ONE, TWO = np.float32(0.5), np.float32(1.0), np.float32(2.0)
INSIDE = 1 - 2**-20  # keeps numbers in (−1, 1) away from ±1, where the inverse of tanh is infinite
_INSIDE = np.float32(INSIDE)


@runtime_checkable
class CompilableHead(Protocol):
    """A head with a compiled form.

    Attributes:
        rule: one of the rules of this module; None for no compiled form.
        is_greedy: whether the noise is 0.
        is_continuous: whether actions are vectors of A float32 numbers.
        limits: [3] float64, the offset and the lower and upper limit of `LogStd`; 0 for discrete actions.
        bounds: [2, A] float32, the lowest and highest actions; A is 0 for discrete actions.
    """

    rule: int | None
    is_greedy: bool
    is_continuous: bool
    limits: np.ndarray
    bounds: np.ndarray


@runtime_checkable
class Exploring(Protocol):
    """A head that may choose uniformly distributed actions, whatever the network's outputs.

    Attributes:
        is_random: whether it does.
        hold: the number of steps for which such an action is kept.
    """

    is_random: bool
    hold: int


@helper
def choose(rule, is_greedy, outputs, uniform):  # type: ignore[no-untyped-def]
    """The action that `sample(outputs, noise(uniform))` of a head for `Discrete` actions gives."""
    if rule == BERNOULLI:
        return np.int64(logistic(uniform[0], is_greedy) < outputs[0])
    best, action = np.float32(0.0), np.int64(0)
    for k in range(len(outputs)):
        value = outputs[k] + gumbel(uniform[k], is_greedy)
        # a NaN counts as the largest number, as in torch and NumPy
        if k == 0 or value > best or (value != value and best == best):
            best, action = value, np.int64(k)
    return action


@helper
def choose_vector(is_greedy, limits, outputs, uniform, action):  # type: ignore[no-untyped-def]
    """Fills `action` [A] with `sample(outputs, noise(uniform))` of a Gaussian head."""
    A = len(action)
    for i in range(A):
        noise = np.float32(0.0) if is_greedy else normal_number(uniform[i])
        action[i] = outputs[i] + np.float32(std(limits, outputs[A + i])) * noise


@helper
def choose_between_bounds(uniform, action):  # type: ignore[no-untyped-def]
    """Fills `action` [A] with tanh⁻¹ of uniform numbers in (−1, 1)."""
    for i in range(len(action)):
        action[i] = np.float32(math.atanh((TWO * uniform[i] - ONE) * _INSIDE))


@helper
def std(limits, output):  # type: ignore[no-untyped-def]
    """exp of `LogStd`."""
    offset, low, high = limits[0], limits[1], limits[2]
    return math.exp(low + softplus(high - softplus(high - offset - output) - low))


@helper
def softplus(x):  # type: ignore[no-untyped-def]
    return x if x > LINEAR_ABOVE else math.log1p(math.exp(x))


@helper
def bound(rule, bounds, action, taken):  # type: ignore[no-untyped-def]
    """Fills `taken` [A] with `for_environment(action)` of a Gaussian head."""
    for i in range(len(action)):
        low, high, x = bounds[0, i], bounds[1, i], action[i]
        if rule == SQUASHED_GAUSSIAN:
            x = low + HALF * (np.float32(math.tanh(x)) + ONE) * (high - low)
        taken[i] = min(max(x, low), high)


@helper
def gumbel(uniform, is_greedy):  # type: ignore[no-untyped-def]
    return np.float32(0.0) if is_greedy else -np.log(-np.log(uniform))


@helper
def logistic(uniform, is_greedy):  # type: ignore[no-untyped-def]
    return np.float32(0.0) if is_greedy else np.log(uniform) - np.log1p(-uniform)


HELPERS = (*NORMAL, choose, choose_vector, choose_between_bounds, std, softplus, bound, gumbel, logistic)
