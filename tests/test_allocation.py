"""Freed memory goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from pathlib import Path
from pg_experiments.support.allocation import return_freed_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

if sys.argv[1] == "returned":
    return_freed_blocks()
bytearray(24 * 2**20)  # where glibc adapts, blocks of 4 MiB come from the heap from now on
kept = []
before = resident()
for _ in range(2):
    blocks = []
    for _ in range(64):
        blocks.append(bytearray(b"1") * (4 * 2**20))
        kept.append(bytearray(100_000))  # too large for Python's own allocator
    blocks.clear()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="about glibc")
def test_large_blocks_that_are_freed_between_small_ones_go_back_to_the_system():
    grown = {
        how: float(
            subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True).stdout
        )
        for how in ("returned", "as usual")
    }
    assert grown["returned"] < 30
    assert grown["as usual"] > 100, "otherwise this test shows nothing"
