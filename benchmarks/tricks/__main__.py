"""`python -m benchmarks.tricks`: trains what has not been measured yet, and draws the figures of docs/tricks.md.

Measurements are kept in docs/results/tricks_NAME.csv; to measure anew, remove it first.
"""

from __future__ import annotations

from benchmarks.ladder.measure import Measurements, climb
from benchmarks.tricks.figure import DOCS, figure, measured_file
from benchmarks.tricks.settings import ENVIRONMENTS


def main() -> None:
    for environment in ENVIRONMENTS:
        found = climb(environment, Measurements(measured_file(environment)))
        figure(environment, found, DOCS / f"tricks_{environment.name}.png")


if __name__ == "__main__":
    main()
