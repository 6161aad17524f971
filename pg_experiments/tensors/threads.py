"""Control of the number of threads of torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Context in which torch uses one thread, if `wanted`.

    Acting consists of many small operations: on two cores a step of 32 seeds takes 27 µs with two threads and 14 µs
    with one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if wanted else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
