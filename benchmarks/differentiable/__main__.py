"""`python -m benchmarks.differentiable`: measures what docs/differentiable.md shows, and draws its figures.

Trainings are kept in docs/results/differentiable_NAME.csv; to train anew, remove it first. Variances and jumps are
measured each time, in a minute.
"""

from __future__ import annotations

from benchmarks.differentiable import figures, jumps, solving, springs, swing_ups, variance
from benchmarks.differentiable.settings import DOCS, JUMPS, VARIANCE


def main() -> None:
    jumps.measure(JUMPS)
    figures.draw_jumps(jumps.read(JUMPS), DOCS / "differentiable_jumps.png")
    variance.measure(VARIANCE)
    figures.draw_variance(variance.read(VARIANCE), DOCS / "differentiable_variance.png")
    springs.measure()
    figures.draw_springs(solving.read(springs.FILE), DOCS / "differentiable_springs.png")
    swing_ups.measure()
    figures.draw_swing_ups(solving.read(swing_ups.FILE), DOCS / "differentiable_swing_ups.png")


if __name__ == "__main__":
    main()
