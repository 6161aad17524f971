"""The variance of one episode's gradient against the horizon of a chaotic system, and the stiffness of a contact."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from benchmarks.differentiable.points import gradients

POLICIES, EPISODES = 10, 400
HORIZONS = (5, 10, 20, 40, 80, 120, 160, 200, 240, 320)  # steps of 0.025 s
STIFFNESSES = (1, 10, 100, 300, 1000, 2000, 3000, 4000)  # N/m
SETTINGS = (
    *(f"num_seeds={POLICIES}", f"collect.episodes={EPISODES}", "baseline=leave_one_out", "policy.hidden=16"),
    *("policy.layers=1", "policy.initial_std=0.5"),
)
PROBLEMS = {
    "horizon": [(value, ("env=double_pendulum", f"env.horizon={value}")) for value in HORIZONS],
    "stiffness": [(value, ("env=pushing", f"env.stiffness={value}")) for value in STIFFNESSES],
}


class Variance(NamedTuple):
    """The trace of the covariance of one episode's gradient at one policy, and ‖ḡ‖² of the mean over episodes."""

    problem: str
    value: float
    policy: int
    pathwise: float
    score: float
    pathwise_norm: float
    score_norm: float


def measure(file: Path) -> None:
    """Writes all variances to a CSV file."""
    rows = [row for problem, points in PROBLEMS.items() for value, env in points for row in _at(problem, value, env)]
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(Variance._fields)
        writer.writerows([*row[:3], *(f"{number:.6g}" for number in row[3:])] for row in rows)


def read(file: Path) -> list[Variance]:
    """The variances of a CSV file."""
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    return [
        Variance(r["problem"], float(r["value"]), int(r["policy"]), *(float(r[name]) for name in Variance._fields[3:]))
        for r in rows
    ]


def _at(problem: str, value: float, env: tuple[str, ...]) -> list[Variance]:
    found = gradients((*env, *SETTINGS))
    of_both = [_trace(found.pathwise), _trace(found.score), _square(found.pathwise), _square(found.score)]
    print(problem, value, *(f"{float(numbers.median()):.3g}" for numbers in of_both), flush=True)
    each = zip(*(numbers.tolist() for numbers in of_both), strict=True)
    return [Variance(problem, value, policy, *numbers) for policy, numbers in enumerate(each)]


def _trace(samples: Tensor) -> Tensor:
    """[R]: the trace of the covariance over episodes."""
    return samples.var(1).sum(1)


def _square(samples: Tensor) -> Tensor:
    """[R]: ‖ḡ‖²."""
    return samples.mean(1).square().sum(1)
