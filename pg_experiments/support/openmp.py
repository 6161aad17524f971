"""How long OpenMP's threads spin while they wait for work: a bounded time, so that other processes get the cores.

By default a waiting thread of libgomp spins for a long time where there is a core for each thread. Beside other busy
processes, 32 learners then take 3 to 5 times as long as with one thread. Without any spinning, many small parallel
regions are slow on a quiet machine, too.
"""

from __future__ import annotations

import os

# of the runtimes that PyTorch is built with: GNU's libgomp counts iterations, LLVM's and Intel's milliseconds
SPIN = {"GOMP_SPINCOUNT": "30000", "KMP_BLOCKTIME": "0"}


def bound_spinning() -> None:
    """Sets the bound for this process and its children, where the user has set none. Call before importing torch."""
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPIN.items():
            os.environ.setdefault(name, value)
