"""`python -m benchmarks.differentiable`: measures what docs/differentiable.md shows, and draws its figures.

Trainings are kept in docs/results/differentiable_NAME.csv; to train anew, remove it first. Variances and jumps are
measured each time, in a minute.
"""

from __future__ import annotations

from benchmarks.differentiable import figures, jumps, solving, springs, variance
from benchmarks.differentiable.settings import DOCS, ENVIRONMENTS, JUMPS, VARIANCE, measure


def main() -> None:
    jumps.measure(JUMPS)
    figures.draw_jumps(jumps.read(JUMPS), DOCS / "differentiable_jumps.png")
    variance.measure(VARIANCE)
    figures.draw_variance(variance.read(VARIANCE), DOCS / "differentiable_variance.png")
    springs.measure()
    figures.draw_springs(solving.read(springs.FILE), DOCS / "differentiable_springs.png")
    figures.draw_swing_ups(
        [measure(environment) for environment in ENVIRONMENTS], DOCS / "differentiable_swing_ups.png"
    )


if __name__ == "__main__":
    main()
