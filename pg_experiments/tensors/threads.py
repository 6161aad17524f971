"""Threads: those of torch, and those of compiled loops over learners."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch

LITTLE = 2**23  # multiplications of a loop; with fewer, some 0.4 ms, waking a second thread takes longer than it saves
_outside: int | None = None  # threads that torch uses outside of the contexts of `one_thread`; None where there is none


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Context in which torch uses one thread, if `wanted`. Compiled loops over learners use as many as outside of it.

    Acting consists of many small operations: on two cores a step of 32 seeds takes 27 µs with two threads and 14 µs
    with one.
    """
    global _outside
    threads, before = torch.get_num_threads(), _outside
    _outside = before or threads
    torch.set_num_threads(1 if wanted else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _outside = before


def for_learners(loop: Callable[..., Any], learners: int, work: int, *arguments: Any) -> None:
    """Calls a compiled loop for all learners, on as many threads as torch uses outside of `one_thread`.

    Args:
        loop: takes the first learner, the one after the last, and the arguments; each learner by itself.
        learners: their number R.
        work: number of multiplications for a learner.
        arguments: of the loop.
    """
    count = min(_outside or torch.get_num_threads(), learners)
    if count == 1 or learners * work < LITTLE:
        loop(0, learners, *arguments)
        return
    slices = list(pairwise(learners * i // count for i in range(count + 1)))
    jobs = [_pool(count - 1).submit(loop, *part, *arguments) for part in slices[1:]]
    loop(*slices[0], *arguments)
    for job in jobs:
        job.result()


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
