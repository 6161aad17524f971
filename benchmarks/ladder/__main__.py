"""`python -m benchmarks.ladder`: trains what has not been measured yet, and writes docs/ladder.md and its figures.

Measurements are kept in docs/results/ladder_NAME.csv; to measure anew, remove it first.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.common import machine
from benchmarks.ladder.cartpole import CARTPOLE
from benchmarks.ladder.measure import Measurements, climb, stale
from benchmarks.ladder.page import figure, page
from benchmarks.ladder.pong import PONG
from benchmarks.ladder.rungs import Ladder

LADDERS = (CARTPOLE, PONG)
DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    (DOCS / "ladder.md").write_text(measured_page(machine()))
    for ladder in LADDERS:
        figure(ladder, climb(ladder, _measurements(ladder)), DOCS / f"ladder_{ladder.name}.png")


def measured_page(measured_on: str) -> str:
    """The text of docs/ladder.md from all measurements; what is missing is trained. `measured_on` is the machine."""
    ages = stale(CARTPOLE, _measurements(CARTPOLE))
    return page([(ladder, climb(ladder, _measurements(ladder))) for ladder in LADDERS], ages, measured_on)


def _measurements(ladder: Ladder) -> Measurements:
    return Measurements(DOCS / "results" / f"ladder_{ladder.name}.csv")


if __name__ == "__main__":
    main()
