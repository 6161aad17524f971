"""Loops compiled by Numba: for the few places where NumPy's or torch's price per call is what a step costs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays and numbers, compiled when it is first called.

    What was compiled is kept beside the source, or else in the user's cache, so this takes seconds only once. Numba
    is not even imported before, since whoever trains on CartPole needs none of it.
    """
    dispatcher: Callable[..., Any] | None = None

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        nonlocal dispatcher
        if dispatcher is None:
            dispatcher = _compile(function)
        return dispatcher(*arguments)

    return call


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    from numba import njit

    try:
        dispatcher: Callable[..., Any] = njit(cache=True)(function)
    except RuntimeError:  # there is no directory that may be written to
        dispatcher = njit(function)
    return dispatcher
