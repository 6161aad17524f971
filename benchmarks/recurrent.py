"""What a recurrent policy costs: PPO with `policy=gru` and with `policy=mlp`, on CartPole without velocities.

    python -m benchmarks.recurrent [FILE.json]

The perceptron has two layers of 64 units and a critic of its own, the recurrent policy 64 units, which V(s) shares. All
other settings are those of `algorithm=ppo` with 8 environments. An update is collecting and learning, not recording.
Times are of one thread and the processor's, so that other work on the machine counts less. The sides take turns, and a
side's time is the least of its updates. `ratio X` comes last: recurrent over perceptron, the largest of all numbers of
seeds.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from benchmarks.common import checked, machine, write_measured
from pg_experiments.run.run import Run

UPDATES = 8
NUM_SEEDS = (1, 10)
COMMON = ("env=cartpole_masked", "algorithm=ppo", "collect.num_envs=8", "device=cpu")
SIDES = {"mlp": (), "gru": ("policy=gru", "baseline=shared_value")}


def seconds(run: Run, update: int) -> float:
    """Of the processor, for one update."""
    active, started = np.arange(len(run.learners)), time.process_time()
    run.learn(run.collector.collect(update, active), active)
    return time.process_time() - started


def main() -> None:
    """The command."""
    torch.set_num_threads(1)
    milliseconds: dict[str, dict[str, float]] = {}
    for count in NUM_SEEDS:
        runs = {side: Run(checked(*COMMON, f"num_seeds={count}", *own)) for side, own in SIDES.items()}
        times = [{side: seconds(run, update) for side, run in runs.items()} for update in range(UPDATES)]
        milliseconds[str(count)] = {side: 1000 * min(each[side] for each in times) for side in SIDES}
    ratios = {count: of["gru"] / of["mlp"] for count, of in milliseconds.items()}
    print(machine())
    for count, of in milliseconds.items():
        print(
            f"num_seeds={count}: mlp {of['mlp']:.0f} ms, gru {of['gru']:.0f} ms per update, {ratios[count]:.2f} times"
        )
    write_measured(sys.argv[1] if len(sys.argv) > 1 else None, milliseconds=milliseconds, ratio=ratios)
    print(f"ratio {max(ratios.values()):.2f}")


if __name__ == "__main__":
    main()
