"""How long training takes beside other processes, with the default number of threads against one thread.

    python -m benchmarks.busy [FILE.json]

As many processes as there are cores count without end. Beside them, 32 learners train on CartPole for a fixed number of
episodes, in turns with the default threads and with OMP_NUM_THREADS=1, each as a process of its own. The last line is
`ratio X`, the median over rounds of the time with the defaults over the time with one thread.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.common import machine, write_measured

ROUNDS = 5
SETTINGS = {"the defaults": {}, "one thread": {"OMP_NUM_THREADS": "1"}}
COMMAND = "num_seeds=32 env.max_episodes=60 env.threshold=inf device=cpu tracking.plain_every_seconds=1000"
OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that never wait."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def seconds(environment: dict[str, str]) -> float:
    """Wall time of one training process."""
    clean = {name: value for name, value in os.environ.items() if name not in OPENMP}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pg_experiments.train", *COMMAND.split(), f"hydra.run.dir={folder}/run"]
        started = time.perf_counter()
        subprocess.run(command, env=clean | environment, check=True, capture_output=True)
        return time.perf_counter() - started


def main() -> None:
    """The command."""
    rounds = []
    with busy(os.cpu_count() or 1):
        for index in range(ROUNDS):
            rounds.append({name: seconds(environment) for name, environment in SETTINGS.items()})
            print(f"round {index + 1}: " + "  ".join(f"{n} {s:.1f} s" for n, s in rounds[-1].items()), flush=True)
    ratio = statistics.median(times["the defaults"] / times["one thread"] for times in rounds)
    print(f"\n{machine()}, beside {os.cpu_count()} busy processes\n\nratio {ratio:.2f}")
    write_measured(next(iter(sys.argv[1:]), None), ratio=ratio)


if __name__ == "__main__":
    main()
