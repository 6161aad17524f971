"""Kill runs with SIGKILL at random moments, resume each until it is done, and compare it with one that nobody killed.

    python -m tests.torture --kills 200

A run that differs from the undisturbed one in a bit of its last checkpoint, or in a row of `metrics.csv` (wall time
aside), is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pg_experiments.run.checkpoint import newest

CASES = {
    "cartpole": ("env.max_episodes=240", "env.threshold=inf", "policy.hidden=16"),
    "cartpole_seeds": ("num_seeds=3", "env.max_episodes=200", "env.threshold=60", "baseline=value"),
    "ppo_seeds": (
        *("algorithm=ppo", "num_seeds=2", "env.max_steps=8000", "env.threshold=inf", "collect.num_steps=32"),
        *("policy.hidden=16", "policy.dropout=0.25", "algorithm.target_kl=0.01"),
    ),
    "pong": ("env=pong", "env.num_envs=4", "collect.points=8", "policy.hidden=16", "env.max_steps=9000"),
    "pong_seeds": (
        *("env=pong", "num_seeds=2", "env.num_envs=3", "collect.points=6", "policy.hidden=8"),
        *("env.max_steps=4000", "policy.dropout=0.25", "env.repeat_action_probability=0.25"),
    ),
    "running": (
        *("algorithm=ppo", "normalization=running", "num_seeds=2", "env.max_steps=8000", "env.threshold=inf"),
        *("collect.num_steps=32", "policy.hidden=16"),
    ),
    "a2c": ("algorithm=a2c", "env.max_steps=6000", "env.threshold=inf", "policy.hidden=16"),
    "gru": (
        *("policy=gru", "algorithm=a2c", "baseline=shared_value", "policy.hidden=16", "num_seeds=2"),
        *("normalization=running", "env.max_steps=4000", "env.threshold=inf"),
    ),
    "gaussian": (
        *("env=pendulum", "algorithm=a2c", "policy.hidden=16", "num_seeds=2", "env.max_steps=6000"),
        *("env.threshold=inf", "env.max_episode_steps=37"),
    ),
    "sac": (
        *("algorithm=sac", "env=gymnasium", "env.id=Pendulum-v1", "env.max_episodes=null", "env.threshold=inf"),
        *("env.max_steps=3000", "num_seeds=2", "policy.hidden=16", "algorithm.critic_hidden=16"),
        *("algorithm.batch_size=32", "algorithm.buffer_size=1000", "collect.num_steps=8"),
    ),
    "pathwise": (
        *("algorithm=pathwise", "env=double_pendulum", "env.horizon=37", "env.max_steps=24000", "num_seeds=2"),
        *("policy.hidden=16", "baseline.hidden=16", "collect.num_envs=8"),
    ),
    "cartpole_moving": ("baseline=moving_average", "optimizer=rmsprop", "env.max_episodes=240", "env.threshold=inf"),
    "pong_wait": (
        *("env=pong", "env.num_envs=4", "collect.points=8", "policy.hidden=8", "env.max_steps=6000"),
        "collect.unfinished=wait",
    ),
    "batch_norm": (
        *("algorithm=ppo", "policy.norm=batch", "num_seeds=2", "env.max_steps=8000", "env.threshold=inf"),
        *("collect.num_steps=32", "policy.hidden=16"),
    ),
    "screens": (
        *("env=atari", "env.game=breakout", "env.observation=screens", "policy=cnn", "policy.network=small"),
        *("algorithm=ppo", "baseline=shared_value", "collect.num_envs=2", "collect.num_steps=16", "env.max_steps=320"),
        *("env.max_frames=200", "env.repeat_action_probability=0.25"),
    ),
}  # fmt: skip
OFTEN = ("device=cpu", "checkpoint.every_updates=2", "tracking.histograms_every=5")
KILLS_PER_RUN = 2


class Result:
    """What a run left, wall time aside."""

    def __init__(self, directory: Path) -> None:
        with (directory / "metrics.csv").open(newline="", encoding="utf-8") as file:
            self.rows = [{k: v for k, v in row.items() if k != "wall_time_s"} for row in csv.DictReader(file)]
        state = newest(directory)
        assert state is not None
        record = state.pop("record")
        self.state = {**state, "board": record["board"], "updates": record["updates"]}

    def differs_from(self, other: Result) -> list[str]:
        """Names of what is not the same to the bit."""
        parts = [f"{where}" for where, same in _compare(self.state, other.state, "checkpoint") if not same]
        return parts + (["metrics.csv"] if self.rows != other.rows else [])


def _compare(a: Any, b: Any, where: str) -> Iterator[tuple[str, bool]]:
    if isinstance(a, torch.Tensor):
        yield where, torch.equal(_bytes(a), _bytes(b))
    elif isinstance(a, dict):
        yield where, list(a) == list(b)
        for key in a:
            yield from _compare(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        yield where, len(a) == len(b)
        for index, (one, other) in enumerate(zip(a, b, strict=False)):
            yield from _compare(one, other, f"{where}.{index}")
    else:
        yield where, a == b


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(tensor.numpy().tobytes(), np.uint8).copy())  # NaN equals NaN


def start(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "pg_experiments.train", *arguments]
    with (directory.parent / f"{directory.name}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=directory.parent, stdout=log, stderr=log)


def undisturbed(directory: Path, case: str) -> tuple[Result, float, float]:
    """A run that nobody kills, the seconds that it takes to begin, and those from then to its end."""
    began = time.monotonic()
    assert start(directory, *CASES[case], *OFTEN, f"hydra.run.dir={directory}").wait() == 0
    training = json.loads((directory / "result.json").read_text())["wall_time_s"]
    return Result(directory), time.monotonic() - began - training, training


def tortured(directory: Path, case: str, kills: int, startup: float, training: float, rng: random.Random) -> int:
    """Kill a run up to so many times, each after a random part of what it takes, and resume it. Returns how often."""
    killed = 0
    first = [*CASES[case], *OFTEN, f"hydra.run.dir={directory}"]
    process = start(directory, *first)
    for _ in range(kills):
        if rng.random() < 0.25:
            _wait(process, lambda: False, rng.random() * startup)
        else:
            began = time.time()
            _wait(process, lambda since=began: _records(directory, since), 120)
            _wait(process, lambda: False, 0.6 * rng.random() * training)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        killed += 1
        begun = (directory / ".hydra" / "config.yaml").exists()
        process = start(directory, *([f"resume={directory}"] if begun else first))
    assert process.wait() == 0, (directory.parent / f"{directory.name}.log").read_text()
    return killed


def _wait(process: subprocess.Popen[bytes], what: Callable[[], bool], seconds: float) -> None:
    """Until something is so, the process has ended, or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None and not what():
        time.sleep(0.002)


def _records(directory: Path, since: float) -> bool:
    try:
        return (directory / "result.json").stat().st_mtime >= since
    except FileNotFoundError:  # not there yet, or a run that begins has just taken the earlier one away
        return False


def torture(
    folder: Path, kills: int, seed: int, cases: Sequence[str] = tuple(CASES)
) -> tuple[int, dict[str, list[str]]]:
    """Kill runs at random moments.

    Args:
        folder: an empty one.
        kills: how often, at least, over all runs.
        seed: of the moments.
        cases: of CASES.

    Returns:
        How many kills there were, and for each run by its name what of it differs from the undisturbed one.
    """
    rng, done = random.Random(seed), 0
    expected: dict[str, tuple[Result, float, float]] = {}
    differs: dict[str, list[str]] = {}
    while done < kills:
        case = cases[len(differs) % len(cases)]
        if case not in expected:
            expected[case] = undisturbed(folder / case, case)
        reference, startup, training = expected[case]
        run = folder / f"{len(differs)}_{case}"
        done += tortured(run, case, min(KILLS_PER_RUN, kills - done), startup, training, rng)
        differs[run.name] = Result(run).differs_from(reference)
        print(f"{done}/{kills} {run.name}: {', '.join(differs[run.name]) or 'the same bits'}", flush=True)
    return done, differs


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help=f"in all, over {len(CASES)} kinds of run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills, differs = torture(Path(folder), arguments.kills, arguments.seed)
    wrong = [name for name, parts in differs.items() if parts]
    print(f"{kills} kills of {len(differs)} runs; {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
