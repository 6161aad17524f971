"""Loops compiled by Numba, for code whose time is dominated by the overhead of NumPy or torch calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def compiled(*types: str, returns: str = "void") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that compiles a function of arrays and numbers with Numba when it is first called.

    Compiled code is cached beside the source, or else in the user's cache directory, so compilation takes seconds only
    once. Numba is imported at the first call, as many runs do not need it.

    Args:
        types: types of the arguments in Numba's notation; arrays are C-contiguous, as `float32[:, ::1]`. Types are
            fixed because processes that concurrently compile the same function for different types can load the wrong
            entry of Numba's cache.
        returns: type of the return value.

    Raises (the function, when called):
        TypeError: an argument has another type.
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
    # The cache cannot be written or read; unpickling a damaged cache can raise any exception. Errors of the function
    # itself are raised again here.
    except Exception:
        dispatcher = njit(signature)(function)
    return dispatcher
