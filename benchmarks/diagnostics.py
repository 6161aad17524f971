"""What `diagnostics=gradients` costs: speed of a training with it, over the speed without.

    python -m benchmarks.diagnostics [FILE.json]

CartPole with default settings, without a threshold, and a measurement in every tenth update; everything that a run
records is recorded. Both runs are kept in one process, and take turns of ten updates, one of which has a measurement,
so that other work on the machine hits both alike. The speed of a round is that of its processor time. `ratio X` comes
last: the median over rounds.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import sys
import time

from benchmarks.common import machine, prepared, write_measured
from pg_experiments.run.run import Run
from pg_experiments.run.tracking import Tracker

EVERY = 10  # updates
ROUNDS, TURNS = 9, 12  # a round is so many turns of each side
COMMON = ("env.threshold=inf", "env.max_episodes=100000", "device=cpu", "tracking.histograms_every=0")
SIDES = {"without": (), "with": ("diagnostics=gradients", f"diagnostics.every={EVERY}")}


def turn(run: Run, tracker: Tracker) -> tuple[int, float]:
    """Environment steps and seconds of the processor of ten updates, learning and recording included."""
    before, started = run.accounts.seeds[0].env_steps, time.process_time()
    active = run.accounts.active
    for _ in range(EVERY):
        rollout = run.collector.collect(run.updates, active)
        run.record(tracker, active, rollout, run.learn(rollout, active).metrics)
    return run.accounts.seeds[0].env_steps - before, time.process_time() - started


def main() -> None:
    """The command."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.ExitStack() as stack:
        sides = {name: stack.enter_context(prepared(*COMMON, *overrides)) for name, overrides in SIDES.items()}
        for _, tracker in sides.values():
            stack.enter_context(tracker.running())
        for run, tracker in sides.values():
            turn(run, tracker)  # compiled code is loaded
        rounds = []
        for _ in range(ROUNDS):
            turns = [{name: turn(*side) for name, side in sides.items()} for _ in range(TURNS)]
            totals = {name: [sum(of) for of in zip(*(each[name] for each in turns), strict=True)] for name in sides}
            rounds.append({name: steps / seconds for name, (steps, seconds) in totals.items()})
        for _, tracker in sides.values():
            tracker.directory.release()
    for name in SIDES:
        print(f"{name:<8}{statistics.median(each[name] for each in rounds):>9,.0f} steps per second of the processor")
    ratio = statistics.median(each["with"] / each["without"] for each in rounds)
    print(f"\n{machine()}\n\nratio {ratio:.3f}")
    write_measured(next(iter(sys.argv[1:]), None), rounds=rounds, ratio=ratio)


if __name__ == "__main__":
    main()
