"""How long a comparison of 1,000 runs takes, with its tables, plots and page.

    python -m benchmarks.compare [FILE.json]

Writes 100 configurations of 10 seeds as run directories that look as if they had been trained, each with 50 rows of
metrics, and runs the command on them as a process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import machine, write_measured
from benchmarks.run_directories import Curve, write_run

WIDTHS = (8, 16, 32, 64, 128, 192, 256, 384, 512, 1024)
RATES = (0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05)
SEEDS = 10
UPDATES = 50


def curve(width: int, rate: float, seed: int) -> Curve:
    """A curve that rises the higher, the wider the layer, to a level that depends on the learning rate and on luck."""
    rng = np.random.default_rng([width, int(1e4 * rate), seed])
    final = np.clip(330 + 40 * np.log2(width / 64) - 60 * abs(np.log2(rate / 0.01)) + rng.normal(0, 60), 20, 500)
    returns = final * (1 - np.exp(-np.arange(1, UPDATES + 1) / 8)) + rng.normal(0, 4, UPDATES)
    steps = np.cumsum(2 * returns.clip(10).astype(int))
    rows = []
    for update, (step, value) in enumerate(zip(steps.tolist(), returns.tolist(), strict=True)):
        rows.append({"env_steps": step, "episodes": 2 * update + 2, "episodic_return": value, "mean_return": value})
        if value >= 475:
            break
    return rows


def main() -> None:
    configurations = [(width, rate) for width in WIDTHS for rate in RATES]
    with tempfile.TemporaryDirectory() as folder:
        for number, (width, rate) in enumerate(configurations):
            overrides = [f"policy.hidden={width}", f"optimizer.learning_rate={rate}"]
            for seed in range(SEEDS):
                name = f"{SEEDS * number + seed}_{','.join(overrides)},seed={seed}"
                write_run(Path(folder) / name, overrides, {seed: curve(width, rate, seed)})
        started = time.perf_counter()
        command = [sys.executable, "-m", "pg_experiments.compare", f"sweep={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        elapsed = time.perf_counter() - started
    print(f"\n{machine()}, {len(configurations)} configurations of {SEEDS} runs\n\nseconds {elapsed:.1f}")
    write_measured(next(iter(sys.argv[1:]), None), seconds=elapsed)


if __name__ == "__main__":
    main()
