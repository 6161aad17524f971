"""The heads' choice of an action, as a function that compiled loops call."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from pg_experiments.tensors.compiled import helper

CATEGORICAL, BERNOULLI = range(2)  # rules


@runtime_checkable
class CompilableHead(Protocol):
    """A head with a compiled form.

    Attributes:
        rule: one of the rules of this module; None for no compiled form.
        is_greedy: whether the noise is 0.
    """

    rule: int | None
    is_greedy: bool


@helper
def choose(rule, is_greedy, outputs, uniform):  # type: ignore[no-untyped-def]
    """The action that `sample(outputs, noise(uniform))` of the head gives."""
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
def gumbel(uniform, is_greedy):  # type: ignore[no-untyped-def]
    return np.float32(0.0) if is_greedy else -np.log(-np.log(uniform))


@helper
def logistic(uniform, is_greedy):  # type: ignore[no-untyped-def]
    return np.float32(0.0) if is_greedy else np.log(uniform) - np.log1p(-uniform)


HELPERS = (choose, gumbel, logistic)
