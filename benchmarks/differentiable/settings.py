"""What the measurements share: seeds, names and files."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "results"
VARIANCE, JUMPS = RESULTS / "differentiable_variance.csv", RESULTS / "differentiable_jumps.csv"
SEEDS = range(10)  # settings were chosen with others, 100 to 209
TITLES = {"pathwise": "backpropagation", "ppo": "PPO", "reinforce": "REINFORCE"}
