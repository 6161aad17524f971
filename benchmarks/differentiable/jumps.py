"""The gradients of an expected reward that jumps, as a function of the mean action."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.differentiable.points import gradients
from pg_experiments.algorithm.mixed import mixture, pathwise_weight
from pg_experiments.env.differentiable.ball_wall import BallWall
from pg_experiments.env.differentiable.heaviside import Heaviside

EPISODES, CONFIDENCE = 1000, 2.0
NODES = 20_001  # of the integration


class Problem(NamedTuple):
    """An environment of one step, and the policies N(μ, σ²) at which it is measured."""

    name: str
    system: Heaviside | BallWall
    std: float
    means: Tensor


PROBLEMS = (
    Problem("heaviside", Heaviside(), 0.5, torch.linspace(-0.5, 2.5, 31)),
    Problem("ball_wall", BallWall(), 0.1, torch.deg2rad(torch.linspace(25, 85, 41))),
)


class Jump(NamedTuple):
    """Means over episodes with their standard errors, at one mean action; the first two are exact."""

    problem: str
    mean: float
    expected: float  # E[r]
    exact: float  # its derivative by μ
    pathwise: float
    pathwise_error: float
    score: float
    score_error: float
    mixed: float
    weight: float  # of the pathwise gradient in the mixture


def measure(file: Path) -> None:
    """Writes the gradients of all problems to a CSV file."""
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(Jump._fields)
        for problem in PROBLEMS:
            writer.writerows([row[0], *(f"{number:.6g}" for number in row[1:])] for row in _of(problem))


def read(file: Path) -> list[Jump]:
    """The gradients of a CSV file."""
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    return [Jump(row["problem"], *(float(row[name]) for name in Jump._fields[1:])) for row in rows]


def _of(problem: Problem) -> list[Jump]:
    settings = (
        *(f"env={problem.name}", "policy=linear", "policy.bias=true", f"policy.initial_std={problem.std}"),
        *(f"num_seeds={len(problem.means)}", f"collect.episodes={EPISODES}", "baseline=leave_one_out"),
    )
    found = gradients(settings, problem.means)
    weight = pathwise_weight(found.pathwise, found.score, CONFIDENCE)
    mixed = mixture(found.pathwise, found.score, weight).mean((1, 2))
    expected, exact = _integrals(problem)
    columns = [problem.means, expected, exact, *_mean_and_error(found.pathwise), *_mean_and_error(found.score)]
    rows = zip(*(column.tolist() for column in (*columns, mixed, weight)), strict=True)
    return [Jump(problem.name, *row) for row in rows]


def _mean_and_error(samples: Tensor) -> tuple[Tensor, Tensor]:
    """[R, E, 1] -> [R] twice."""
    return samples.mean((1, 2)), samples.std(1).squeeze(1) / math.sqrt(samples.shape[1])


def _integrals(problem: Problem) -> tuple[Tensor, Tensor]:
    """E[r] and its derivative by μ for a ~ N(μ, σ²), [R] each, by the trapezoidal rule."""
    z = torch.linspace(-8, 8, NODES, dtype=torch.float64)
    density = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
    actions = problem.means[:, None].double() + problem.std * z
    _, rewards = problem.system.step(torch.ones_like(actions)[..., None], actions[..., None])
    mean: Callable[[Tensor], Tensor] = lambda numbers: torch.trapezoid(numbers * density, z, dim=1)  # noqa: E731
    return mean(rewards), mean(rewards * z / problem.std)
