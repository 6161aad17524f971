"""Emulator steps per second of training on Pong, against the bare emulator and against the plain loop.

    python -m benchmarks.pong [FILE.json]

Four sides take turns: ale-py's vector environment alone, with random actions and as many environments and threads as
ours; the whole training loop of `experiment=pong`, with everything that it records; the same with
`collect.unfinished=wait`, strictly on-policy, where an environment that is done with its part of a batch stands still
until the others are; and the plain loop of "Pong from Pixels", one environment and NumPy (benchmarks/plain_pong.py),
for the same emulator settings. Each counts agent steps, of four frames. A ratio is the median over rounds. In a round
the vector environment alone runs twice, before training and after it, because its speed varies most.

`useful` is the share of the emulator's steps that reached a loss before the run ended; `ratio` is training over bare.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.common import checked, machine, prepared, write_speeds
from benchmarks.plain_pong import DOWN, UP, plain_steps_per_second
from pg_experiments.env import AtariEnv
from pg_experiments.run.run import Run

ROUNDS = 5
STEPS = 200_000  # agent steps of ours in a round
SECONDS = 10.0  # of the others
SIDES = ("bare emulator", "training", "training that waits", "plain loop")
OVERRIDES = ("experiment=pong", "device=cpu", f"env.max_steps={STEPS}")


def bare_steps_per_second(seed: int) -> float:
    """The emulators of one `AtariVectorEnv`, with random actions."""
    config = checked(*OVERRIDES)
    assert isinstance(config.env, AtariEnv)
    count = config.env.num_envs
    emulators = config.env.emulators(count, os.cpu_count() or 1)
    actions = np.random.default_rng(seed).choice([UP, DOWN], (100_000, count))
    emulators.reset(seed=seed)
    steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        emulators.step(actions[steps])
        steps += 1
    return steps * count / elapsed


def our_speed_and_use(seed: int, *overrides: str) -> tuple[float, float]:
    """Emulator steps per second of a run, and the share of them that reached a loss."""
    with prepared(*OVERRIDES, f"seed={seed}", *overrides) as (run, tracker):
        emulated = count_steps(run)
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        elapsed = time.perf_counter() - started
        learned = sum(account.env_steps for account in run.accounts.seeds)
        return emulated["steps"] / elapsed, learned / emulated["steps"]


def count_steps(run: Run) -> dict[str, int]:
    """Counts what the emulators of a run are made to do, from now on."""
    counts = {"steps": 0}

    def counted(send: Callable[..., None]) -> Callable[..., None]:
        def wrapped(actions: np.ndarray, playing: np.ndarray) -> None:
            counts["steps"] += int(playing.sum())
            send(actions, playing)

        return wrapped

    for half in run.env.halves:
        half.send = counted(half.send)
    return counts


def where_the_time_goes() -> dict[str, float]:
    """Seconds of one run by part; the emulators' is what is spent waiting for them."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(owner: Any, name: str, part: str) -> None:
        setattr(owner, name, _timed_call(getattr(owner, name), seconds, part))

    with prepared(*OVERRIDES) as (run, tracker):
        acting = run.agent.policy.acting
        run.agent.policy.acting = lambda: _timed_call(acting(), seconds, "policy")
        for half in run.env.halves:
            timed(half, "receive", "emulator")
        for half in run.collector.halves:
            timed(half.differences, "look", "preprocessing")
        timed(run, "credit", "update")
        timed(run, "learn", "update")
        timed(run, "record", "tracking")
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        total = time.perf_counter() - started
    seconds["bookkeeping"] = total - sum(seconds.values())
    return dict(seconds)


def _timed_call(function: Callable[..., Any], seconds: dict[str, float], part: str) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **keys: Any) -> Any:
        started = time.perf_counter()
        result = function(*arguments, **keys)
        seconds[part] += time.perf_counter() - started
        return result

    return wrapped


def main() -> None:
    rounds = []
    our_speed_and_use(1000)  # what is imported on first use is no part of training
    for index in range(ROUNDS):
        before = bare_steps_per_second(2 * index)
        ours, useful = our_speed_and_use(index)
        after = bare_steps_per_second(2 * index + 1)
        rounds.append(
            {
                "bare emulator": statistics.mean((before, after)),
                "training": ours,
                "training that waits": our_speed_and_use(index, "collect.unfinished=wait")[0],
                "plain loop": plain_steps_per_second(index, SECONDS),
                "useful": useful,
            }
        )
        sides = [f"{name} {rounds[-1][name]:,.0f}" for name in SIDES]
        print(f"round {index + 1}: " + "  ".join(sides), flush=True)
    print(f"\n{machine()}, torch {torch.__version__}\n\n{'part of training':<20}{'share':>8}")
    parts = where_the_time_goes()
    for part, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"{part:<20}{seconds / sum(parts.values()):>8.1%}")
    print(f"\n{'side':<20}{'steps/s':>10}{'training over it':>20}")
    over = {side: statistics.median(r["training"] / r[side] for r in rounds) for side in SIDES}
    useful = statistics.median(r["useful"] for r in rounds)
    for side in SIDES:
        print(f"{side:<20}{statistics.median(r[side] for r in rounds):>10,.0f}{over[side]:>20.2f}")
    write_speeds(next(iter(sys.argv[1:]), None), rounds, over, useful=useful)
    print(f"\nplain_ratio {over['plain loop']:.2f}")
    print(f"useful {useful:.3f}")
    print(f"ratio {over['bare emulator']:.3f}")


if __name__ == "__main__":
    main()
