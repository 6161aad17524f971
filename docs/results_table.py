"""Rows of the table in docs/results/actor_critics.md, from runs that were evaluated.

    python -m docs.results_table docs/results/actor_critics/ppo_cartpole …

Takes run directories, or directories with copies of a run's `result.json` and `evaluation.json`. A figure is the mean
over seeds of a seed's mean return in 100 episodes, with a 95 % bootstrap interval over seeds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from pg_experiments.comparison.statistics import estimate


def cell(means: np.ndarray) -> str:
    """`mean (low to high)`; the interval only where there are several seeds."""
    if len(means) == 1 or np.ptp(means) == 0:
        return f"{means.mean():.1f}"
    found = estimate(np.mean, [means])
    return f"{found.value:.1f} ({found.low:.1f} to {found.high:.1f})"


def row(directory: Path) -> str:
    result = json.loads((directory / "result.json").read_text())
    ways = json.loads((directory / "evaluation.json").read_text())["ways"]
    seeds = result["num_seeds"]
    by_way = [cell(np.array([seed["mean"] for seed in ways[way]["seeds"]])) for way in ("greedy", "sampling")]
    steps, minutes = result["env_steps"] / seeds / 1e6, result["wall_time_s"] / 60
    return f"| {directory.name} | {seeds} | {steps:.2f} M | {' | '.join(by_way)} | {minutes:.1f} |"


def main() -> None:
    print("| run | seeds | steps of each | greedy | sampling | minutes |\n| --- | ---: | ---: | --- | --- | ---: |")
    for directory in map(Path, sys.argv[1:]):
        print(row(directory))


if __name__ == "__main__":
    main()
