"""What the benchmarks against Stable-Baselines3 share: the time of both sides, and the table of their ratios."""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from benchmarks.common import machine, prepared, write_speeds

THEIRS = "Stable-Baselines3"
Speeds = dict[str, float]  # environment steps per second of each side


def their_steps_per_second(model: Any, steps: int) -> float:
    """The speed of a model of Stable-Baselines3, without recording, and with one thread, with which it is faster."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started = time.perf_counter()
    model.learn(steps)
    elapsed = time.perf_counter() - started
    torch.set_num_threads(threads)
    return float(model.num_timesteps / elapsed)


def our_steps_per_second(*overrides: str) -> float:
    """The speed of a whole run, tracking and all; steps of all seeds."""
    with prepared(*overrides, "device=cpu") as (run, tracker):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        elapsed = time.perf_counter() - started
        return sum(account.env_steps for account in run.accounts.seeds) / elapsed


def measure(description: str | None, targets: Mapping[str, float], one_round: Callable[[int], Speeds]) -> None:
    """Runs some rounds, and prints the median speed of each side, and its ratio to the other side of the round.

    A side is named `ALGORITHM, num_seeds=N` or `ALGORITHM, Stable-Baselines3`. The last line is the smallest ratio over
    its target.

    Args:
        description: text for `--help`.
        targets: the ratios to reach, of some or all of our sides.
        one_round: measures each side once, in turn, given the index of the round.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("file", nargs="?", help="a JSON file that is written")
    arguments = parser.parse_args()
    rounds = []
    for index in range(arguments.rounds):
        rounds.append(one_round(index))
        print(f"round {index + 1}: " + "  ".join(f"{k} {v:,.0f}" for k, v in rounds[-1].items()), flush=True)
    ratios = {
        side: statistics.median(speeds[side] / speeds[f"{side.partition(',')[0]}, {THEIRS}"] for speeds in rounds)
        for side in rounds[0]
        if not side.endswith(THEIRS)
    }
    _print(rounds, ratios, targets)
    write_speeds(arguments.file, rounds, ratios)
    print(f"\nratio {min(ratios[side] / target for side, target in targets.items()):.2f}")


def _print(rounds: Sequence[Speeds], ratios: Mapping[str, float], targets: Mapping[str, float]) -> None:
    print(f"\n{machine()}, torch {torch.__version__}\n\n{'side':<28}{'steps/s':>10}{'ratio':>8}{'target':>8}")
    for side in rounds[0]:
        speed = statistics.median(speeds[side] for speeds in rounds)
        ratio = f"{ratios[side]:>8.1f}{targets.get(side, ''):>8}" if side in ratios else ""
        print(f"{side:<28}{speed:>10,.0f}{ratio}")
