"""How fast the command answers: `--help` and a mistyped key, against a bare Hydra application's `--help`.

    python -m benchmarks.startup

The three take turns, each as a whole process; the ratio is the slower of ours over the bare one, medians of all rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine

ROUNDS = 15
BARE = """\
import hydra

@hydra.main(config_path=None, version_base="1.3")
def main(config):
    pass

main()
"""


def seconds(command: list[str], folder: str) -> float:
    """Wall time of one process, which must have answered."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    assert done.stdout or "did you mean policy.hidden?" in done.stderr, done.stderr
    return elapsed


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(BARE)
        commands = {
            "bare Hydra, --help": [sys.executable, "bare.py", "--help"],
            "train --help": [sys.executable, "-m", "pg_experiments.train", "--help"],
            "train policy.hiden=64": [sys.executable, "-m", "pg_experiments.train", "policy.hiden=64"],
        }
        for command in commands.values():
            seconds(command, folder)  # so that every file is in the page cache
        rounds = [{name: seconds(command, folder) for name, command in commands.items()} for _ in range(ROUNDS)]
    print(f"{machine()}\n")
    medians = {name: statistics.median(times[name] for times in rounds) for name in commands}
    bare, *ours = medians.values()
    print(f"{'command':<24}{'seconds':>9}{'ratio':>8}")
    for name, median in medians.items():
        print(f"{name:<24}{median:>9.3f}{median / bare:>8.2f}")
    print(f"\nratio {max(ours) / bare:.2f}")


if __name__ == "__main__":
    main()
