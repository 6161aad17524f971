"""Ways to make batches of Pong, by the steps per second that reach a loss.

    python -m benchmarks.pong_batches [FILE.json]

`experiment=pong` with other batches, each way a run of 120,000 agent steps; all ways take turns, and a number is the
median over rounds. `useful` is the share of the emulator's steps that reached a loss before the run ended. What waiting
costs grows as the policy learns: at first all games are lost 21 to 0, and of like length.
"""

from __future__ import annotations

import statistics
import sys

import torch

from benchmarks.common import machine, write_measured
from benchmarks.pong import our_speed_and_use

ROUNDS = 3
STEPS = 120_000
GAMES = "collect=episodes"
WAIT = "collect.unfinished=wait"
WAYS: dict[str, tuple[str, ...]] = {
    "160 points, carried over (the default)": (),
    "the same, three seeds in lockstep": ("num_seeds=3", f"env.max_steps={STEPS // 3}"),
    "160 points, waiting": (WAIT,),
    "32 games, carried over": (GAMES, "collect.episodes=32"),
    "32 games, waiting": (GAMES, "collect.episodes=32", WAIT),
    "64 games, waiting": (GAMES, "collect.episodes=64", WAIT),
    "64 games on 64 emulators, waiting": (GAMES, "collect.episodes=64", "env.num_envs=64", WAIT),
}


def main() -> None:
    our_speed_and_use(1000, f"env.max_steps={STEPS}")  # what is imported on first use is no part of training
    measured: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for index in range(ROUNDS):
        for way, overrides in WAYS.items():
            measured[way].append(our_speed_and_use(index, f"env.max_steps={STEPS}", *overrides))
    print(f"{machine()}, torch {torch.__version__}\n")
    ways: dict[str, dict[str, float]] = {}
    print(f"{'a batch':<48}{'steps/s':>10}{'useful':>10}{'useful steps/s':>16}")
    for way, rounds in measured.items():
        speed, useful = (statistics.median(column) for column in zip(*rounds, strict=True))
        reached = statistics.median(speed * useful for speed, useful in rounds)
        ways[way] = {"steps_per_second": speed, "useful": useful, "useful_steps_per_second": reached}
        print(f"{way:<48}{speed:>10,.0f}{useful:>10.3f}{reached:>16,.0f}")
    write_measured(next(iter(sys.argv[1:]), None), ways=ways)


if __name__ == "__main__":
    main()
