"""What 16 seeds in one process cost against one: the processor time of the same number of episodes or steps per seed.

    python -m benchmarks.seeds

Prints `ratio X NAME` for each case. The note before a sweep with single seeds has these figures.
"""

from __future__ import annotations

import contextlib
import io
import time

from benchmarks.common import machine, prepared

SEEDS = 16
CASES = {
    "REINFORCE on CartPole": ("env.max_episodes=300",),
    "PPO on CartPole": ("algorithm=ppo", "env.max_steps=20000"),
    "REINFORCE on Pong": ("env=pong", "env.max_steps=4000", "collect.points=20", "env.num_envs=4"),
}


def processor_seconds(num_seeds: int, *overrides: str) -> float:
    """The processor time of a run whose seeds do not stop before the limit."""
    with prepared(f"num_seeds={num_seeds}", "device=cpu", "env.threshold=inf", *overrides) as (run, tracker):
        started = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        return time.process_time() - started


def main() -> None:
    print(machine())
    for name, overrides in CASES.items():
        processor_seconds(1, *overrides)  # compiles
        print(f"ratio {processor_seconds(SEEDS, *overrides) / processor_seconds(1, *overrides):.1f} {name}", flush=True)


if __name__ == "__main__":
    main()
