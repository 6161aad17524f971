"""What tracking and checkpoints cost over 2,000 updates of CartPole, in memory and in time.

    python -m benchmarks.soak [FILE.json]

The default experiment, which continues when it is solved, with all that it records and a checkpoint every 100 updates,
against the same updates, to the last bit, with nothing recorded. Each side is a process of its own, and they go through
their updates in turns, 50 at a time, so that other work disturbs both alike. Resident memory is that of the
side with everything on.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.common import machine, prepared, write_measured
from pg_experiments.run.checkpoint import Checkpointing, Checkpoints

UPDATES = 2_000
TURN = 50
EARLY = 200  # updates after which memory should grow no more
EVERY = 100  # updates between two checkpoints
OVERRIDES = ("device=cpu", "env.threshold=inf", f"env.max_episodes={2 * UPDATES}")


class Turns:
    """What waits for its turn after every `TURN` updates, and measures them."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.updates = 0
        self.resident: dict[int, float] = {}
        pipe.recv()
        self.began = time.perf_counter()

    def updated(self) -> None:
        """Another update was made."""
        self.updates += 1
        if self.updates % TURN == 0:
            self.pipe.send((time.perf_counter() - self.began, _resident_mb()))
            if self.updates < UPDATES:
                self.pipe.recv()
            self.began = time.perf_counter()


class Nothing:
    """A tracker that records nothing."""

    seconds = 0.0
    stopped = False

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    paused = running

    def say(self, *_: Any) -> None:
        pass

    warn = notify = stop_if_asked = say

    def write(self, *_: Any) -> None:
        self.turns.updated()


def _resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _side(pipe: Connection, records: bool) -> None:
    """One side: all updates, each turn when it is told to."""
    with prepared(*OVERRIDES) as (run, tracker), contextlib.redirect_stdout(io.StringIO()):
        turns = Turns(pipe)
        if not records:
            run.execute(Nothing(turns))  # type: ignore[arg-type]
            return
        settings = Checkpointing(every_updates=EVERY, every_seconds=None, keep=2)
        checkpoints = Checkpoints(tracker.directory.path, settings, {})
        due = checkpoints.due

        def due_after_the_turn(updates: int) -> bool:
            turns.updated()
            return due(updates)

        checkpoints.due = due_after_the_turn  # type: ignore[method-assign]
        run.execute(tracker, checkpoints)


def main() -> None:
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for records in (True, False):
        pipes[records], theirs = context.Pipe()
        processes.append(context.Process(target=_side, args=(theirs, records)))
        processes[-1].start()
    seconds, resident = {True: [], False: []}, []
    for turn in range(UPDATES // TURN):
        for records in (True, False) if turn % 2 else (False, True):
            pipes[records].send("go")
            taken, megabytes = pipes[records].recv()
            seconds[records].append(taken)
            if records:
                resident.append(megabytes)
    for process in processes:
        process.join()
    _report(seconds, resident)


def _report(seconds: dict[bool, list[float]], resident: list[float]) -> None:
    early, late = resident[EARLY // TURN - 1], max(resident[EARLY // TURN :])
    with_, without = sum(seconds[True]), sum(seconds[False])
    print(f"{machine()}\n\n{UPDATES:,} updates of CartPole, {TURN} at a time in turns")
    print(f"training alone                                  {without:7.1f} s")
    print(f"with tracking, and a checkpoint every {EVERY} updates {with_:7.1f} s, {with_ / without - 1:+.1%}")
    print(f"resident after {EARLY} updates {early:.1f} MB, at most {late:.1f} MB afterwards: {late / early - 1:+.1%}")
    print(f"\nmemory {late / early:.3f}\nratio {without / with_:.3f}")
    write_measured(next(iter(sys.argv[1:]), None), time=with_ / without, memory=late / early)


if __name__ == "__main__":
    main()
