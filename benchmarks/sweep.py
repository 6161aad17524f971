"""How much sooner a sweep of eight jobs ends with two of them at a time, on two cores or more.

    python -m benchmarks.sweep

The basic launcher, one job after another in one process, and joblib with two processes take turns, each as a whole
command from start to end. A job of either has one thread, so that what is compared is jobs side by side, and trains one
seed for a number of episodes that takes long enough for Python's start to weigh little. The ratio is the median over
rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine

ROUNDS = 3
SIDES = {
    "basic": ["hydra/launcher=basic"],
    "joblib, 2 processes": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
}
JOBS = ["seed=0,1,2,3,4,5,6,7", "device=cpu", "env.threshold=inf", "env.max_episodes=1000"]


def seconds(launcher: list[str]) -> float:
    """Wall time of one sweep, all of whose jobs must have come to their end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pg_experiments.train", "-m", "hydra.sweep.dir=sweep", *JOBS, *launcher]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
        )
        elapsed = time.perf_counter() - started
        assert done.returncode == 0, done.stderr
        results = [file.read_text() for file in Path(folder).glob("sweep/*/result.json")]
        assert [('"status": "done"' in result) for result in results] == [True] * 8
    return elapsed


def main() -> None:
    rounds = []
    for index in range(ROUNDS):
        rounds.append({name: seconds(launcher) for name, launcher in SIDES.items()})
        print(
            f"round {index + 1}: " + "  ".join(f"{name} {time:.1f} s" for name, time in rounds[-1].items()), flush=True
        )
    print(f"\n{machine()}\n\n{'launcher':<24}{'seconds':>9}{'per job':>9}")
    for name in SIDES:
        median = statistics.median(times[name] for times in rounds)
        print(f"{name:<24}{median:>9.1f}{median / 8:>9.1f}")
    one, two = SIDES
    print(f"\nratio {statistics.median(times[one] / times[two] for times in rounds):.2f}")


if __name__ == "__main__":
    main()
