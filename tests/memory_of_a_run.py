"""Prints two numbers of bytes: what two updates of a run of these overrides took at their peak, and the estimate."""

from __future__ import annotations

import sys
from pathlib import Path

from pg_experiments.run.memory import least_memory, sizes_of
from tests.conftest import make_run, one_update


def peak() -> int:
    """The most memory that this process has had; `ru_maxrss` would begin with that of the process which started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main(overrides: list[str]) -> None:
    """Measure a run after a tiny one, whose memory is that of the libraries."""
    one_update(make_run(*overrides, "policy.hidden=1", "num_seeds=1"))
    before = peak()
    run = make_run(*overrides)
    for update in range(2):
        one_update(run, update)
    print(peak() - before, least_memory(run.config, sizes_of(run.config)))


if __name__ == "__main__":
    main(sys.argv[1:])
