"""`python -m benchmarks.ladder`: trains what has not been measured yet, and writes docs/ladder.md and its figures.

Measurements are kept in docs/results/ladder_NAME.csv; to measure anew, remove it first.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.ladder.measure import Measurements, climb, stale
from benchmarks.ladder.page import write
from benchmarks.ladder.rungs import LADDERS

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    for ladder in LADDERS.values():
        measurements = Measurements(DOCS / "results" / f"ladder_{ladder.name}.csv")
        rungs = climb(ladder, measurements)
        ages = stale(ladder, measurements)
        write(ladder, rungs, ages, DOCS)


if __name__ == "__main__":
    main()
