"""Bounds the time that OpenMP's threads spin while they wait for work, so that other processes get the cores.

By default a waiting thread of libgomp spins for a long time where there is a core for each thread. On a machine with
other busy processes, 32 learners then take 3 to 5 times as long as with one thread. Without any spinning, many small
parallel regions are slow on an idle machine.
"""

from __future__ import annotations

import os

# units differ between the runtimes that PyTorch is built with: iterations for GNU's libgomp, ms for LLVM's and Intel's
SPIN = {"GOMP_SPINCOUNT": "30000", "KMP_BLOCKTIME": "0"}


def bound_spinning() -> None:
    """Sets the bound for this process and its children, unless the user has set one. Call before importing torch."""
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPIN.items():
            os.environ.setdefault(name, value)
