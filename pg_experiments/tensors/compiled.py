"""Loops compiled by Numba, for code whose time is dominated by the overhead of NumPy or torch calls."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

Function = Callable[..., Any]

# Numba's default turns every division into a branch that can raise; NumPy's rule gives inf or NaN
AS_NUMPY = {"error_model": "numpy"}
# of a function that only compiled functions call: it needs no entry points for Python and C
BARE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Floating-point sums of a helper may be reordered, so that they use the vector unit. Results depend on the machine's
# instructions, but on nothing else.
REORDERED_SUMS = AS_NUMPY | {"fastmath": {"reassoc", "contract"}}


class Compiled:
    """A function of arrays and numbers that Numba compiles when it is first called.

    Numba is imported at the first call, as many runs do not need it.
    """

    def __init__(self, function: Function, signature: str, helpers: Sequence[Function], options: dict[str, Any]):
        functools.update_wrapper(self, function)
        self.function = function
        self.signature = signature
        self.helpers = helpers
        self.options = options
        self._dispatcher: Function | None = None

    def __call__(self, *arguments: Any) -> Any:
        return self.ready()(*arguments)

    def ready(self, starting: Callable[[], None] | None = None) -> Function:
        """The compiled function.

        Args:
            starting: called once before a compilation; not called where the compiled code is in the cache.
        """
        if self._dispatcher is None:
            self._dispatcher = _compile(self, starting)
        return self._dispatcher


def compiled(
    *types: str, returns: str = "void", helpers: Sequence[Function] = (), nogil: bool = False
) -> Callable[[Function], Compiled]:
    """Decorator that compiles a function of arrays and numbers with Numba when it is first called.

    Compiled code is cached beside the source, or else in the user's cache directory, so compilation takes seconds only
    once.

    Args:
        types: types of the arguments in Numba's notation; arrays are C-contiguous, as `float32[:, ::1]`. Types are
            fixed because processes that concurrently compile the same function for different types can load the wrong
            entry of Numba's cache.
        returns: type of the return value.
        helpers: all functions that are called, directly or by another helper. They are marked with `helper`, and are
            normal functions for Python. Numba does not notice that a function in another file has changed: the name
            of the cache entry therefore has a digest of the files of all helpers.
        nogil: whether other threads can run at the same time.

    Raises (the function, when called):
        TypeError: an argument has another type.
    """
    options: dict[str, Any] = {"nogil": True} if nogil else {}
    if helpers:
        options |= AS_NUMPY

    def decorate(function: Function) -> Compiled:
        return Compiled(function, f"{returns}({', '.join(types)})", helpers, options)

    return decorate


def helper(function: Function | None = None, *, reordered_sums: bool = False) -> Any:
    """Marks a function that compiled functions call."""

    def mark(function: Function) -> Function:
        vars(function)["numba_options"] = REORDERED_SUMS if reordered_sums else AS_NUMPY
        return function

    return mark if function is None else mark(function)


def _compile(compiled: Compiled, starting: Callable[[], None] | None) -> Function:
    from numba import njit

    function = _versioned(compiled.function, compiled.helpers)
    _make_callable(compiled.helpers)
    with _listening(starting):
        try:
            dispatcher: Function = njit(compiled.signature, cache=True, **compiled.options)(function)
        # The cache cannot be written or read; unpickling a damaged cache can raise any exception. Errors of the
        # function itself are raised again here.
        except Exception:
            dispatcher = njit(compiled.signature, **compiled.options)(function)
    return dispatcher


def _versioned(function: Function, helpers: Sequence[Function]) -> Function:
    """A copy of the function whose qualified name, and so its cache entry, depends on the source of its helpers."""
    if not helpers:
        return function
    digest = hashlib.sha256()
    for source in sorted({inspect.getsource(sys.modules[each.__module__]) for each in helpers}):
        digest.update(source.encode())
    assert isinstance(function, types.FunctionType)
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__)
    copy.__module__ = function.__module__
    copy.__qualname__ = f"{function.__qualname__}_{digest.hexdigest()[:16]}"
    return copy


@functools.cache
def _make_callable_once(function: Function) -> None:
    from numba.extending import register_jitable

    register_jitable(**vars(function)["numba_options"], **BARE)(function)


def _make_callable(helpers: Sequence[Function]) -> None:
    for each in helpers:
        _make_callable_once(each)


def _listening(starting: Callable[[], None] | None) -> Any:
    """A context in which the start of the first compilation is reported."""
    from numba.core import event

    class Listener(event.Listener):
        reported = starting is None

        def on_start(self, event: Any) -> None:
            if not self.reported and starting is not None:
                self.reported = True
                starting()

        def on_end(self, event: Any) -> None:
            pass

    return event.install_listener("numba:compile", Listener())
