"""Loops compiled by Numba: for the few places where NumPy's or torch's price per call is what a step costs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def compiled(*types: str, returns: str = "void") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a function of arrays and numbers compiled when it is first called.

    What was compiled is kept beside the source, or else in the user's cache, so this takes seconds only once. Numba
    is not even imported before, since whoever trains on CartPole needs none of it.

    Args:
        types: of the arguments, as Numba writes them; an array is given without gaps: `float32[:, ::1]`. They are
            fixed, as several processes that compile the same function for different types at once can mistake, in what
            Numba keeps, the one for the other.
        returns: the type of what is returned.

    Raises (the function, when called):
        TypeError: for arguments of other types.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.cache
        def ready() -> Callable[..., Any]:
            return _compile(function, f"{returns}({', '.join(types)})")

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            return ready()(*arguments)

        return call

    return decorate


def _compile(function: Callable[..., Any], signature: str) -> Callable[..., Any]:
    from numba import njit

    try:
        dispatcher: Callable[..., Any] = njit(signature, cache=True)(function)
    # No directory may be written to, the disk is full, or what was kept cannot be read, which may end in anything that
    # unpickling can raise. What is wrong with the function itself is raised again here.
    except Exception:
        dispatcher = njit(signature)(function)
    return dispatcher
