"""Trains seeds until their policies, tested without noise, reach a return. Tests do not count as steps."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import checked
from benchmarks.differentiable.settings import SEEDS
from pg_experiments.env import DifferentiableVectorEnv
from pg_experiments.env.differentiable.system import System
from pg_experiments.policy.gaussian_heads import GaussianHead
from pg_experiments.policy.policy import Policy
from pg_experiments.run.run import Run

TESTS = 32  # episodes of a test, with the same initial states for all seeds and all times
FIRST, GROWTH = 50, 1.1  # environment steps of the first test, and the least ratio of those of two tests


class Learned(NamedTuple):
    """Tests of one seed, until it reached the return that was asked, or its limit of steps."""

    seed: int
    steps: list[int]  # environment steps of each test
    returns: list[float]  # mean return of its episodes

    def steps_to(self, threshold: float) -> float:
        """Environment steps until a test reached the threshold; infinity where none did."""
        tests = zip(self.steps, self.returns, strict=True)
        return next((steps for steps, reached in tests if reached >= threshold), math.inf)


def trained(settings: Sequence[str], seeds: Sequence[int], threshold: float) -> list[Learned]:
    """Trains the seeds in lockstep. A seed stops when it reaches the threshold."""
    run = Run(checked(*settings, f"seed={seeds[0]}", f"num_seeds={len(seeds)}", "device=cpu", "env.threshold=null"))
    assert isinstance(run.env, DifferentiableVectorEnv)
    found, due, solved = [Learned(seed, [], []) for seed in seeds], float(FIRST), np.zeros(len(seeds), np.bool_)
    while len(active := np.array([index for index in run.accounts.active if not solved[index]])):
        _update(run, active)
        accounts = [run.accounts.seeds[index] for index in active]
        if (steps := accounts[0].env_steps) >= due or len(run.accounts.active) == 0:
            due = max(due, steps) * GROWTH
            for index, reached in zip(active, tested(run.agent.policy, run.env.system, active), strict=True):
                found[index].steps.append(steps)
                found[index].returns.append(reached)
                solved[index] = reached >= threshold
    return found


def _update(run: Run, active: np.ndarray) -> None:
    """One batch and its update, as in `Run.execute`, which keeps no record here."""
    rollout = run.collector.collect(run.updates, active)
    run.health.check(run.updates, rollout, run.learn(rollout, active))
    returns = [episodes.numpy() for episodes, _ in rollout.episodes]
    run.accounts.add(active, rollout.mask.sum((0, 2)).numpy(), returns)
    run.updates += 1


@torch.no_grad()
def tested(policy: Policy, system: System, learners: np.ndarray) -> list[float]:
    """R mean returns over `TESTS` episodes, of the mean actions of the learners with indices [R]."""
    assert isinstance(policy.head, GaussianHead)
    network, total = policy.bind(torch.from_numpy(learners)), torch.zeros(len(learners), TESTS)
    states = initial_states(system).expand(len(learners), -1, -1)
    for _ in range(system.horizon):
        means, _ = network(system.observe(states)).chunk(2, -1)
        states, rewards = system.step(states, policy.head.within_bounds(means))
        total += rewards
    return [float(value) for value in total.mean(1)]


def initial_states(system: System) -> Tensor:
    """[TESTS, S]: the initial states of tests."""
    return system.initial(torch.rand(TESTS, system.numbers, generator=torch.Generator().manual_seed(0)))


Results = dict[tuple[str, str], list[Learned]]  # by the names of the algorithm and the problem


def completed(settings: Mapping[tuple[str, str], Sequence[str]], thresholds: Mapping[str, float], file: Path) -> None:
    """Trains what the file does not have, by the settings of each algorithm and problem, until the problem's return."""
    found = read(file) if file.exists() else {}
    for (algorithm, problem), overrides in settings.items():
        if (algorithm, problem) not in found:
            found[algorithm, problem] = trained(overrides, SEEDS, thresholds[problem])
            write(found, file)
            solved = np.isfinite(steps(found[algorithm, problem], thresholds[problem])).sum()
            print(f"{algorithm:<10} {problem:<9} solved {solved} of {len(SEEDS)}", flush=True)


def steps(learned: Sequence[Learned], threshold: float) -> np.ndarray:
    """[R]: environment steps of each seed until a test reached the threshold; infinity where none did."""
    return np.array([one.steps_to(threshold) for one in learned])


def write(found: Results, file: Path) -> None:
    """Writes a row for each test."""
    with file.open("w", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(("algorithm", "problem", "seed", "env_steps", "test_return"))
        for key, learners in found.items():
            for seed, steps, returns in learners:
                tests = zip(steps, returns, strict=True)
                rows.writerows((*key, seed, step, f"{reached:.6g}") for step, reached in tests)


def read(file: Path) -> Results:
    """What `write` has written."""
    found: dict[tuple[str, str], dict[int, Learned]] = {}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            learners, seed = found.setdefault((row["algorithm"], row["problem"]), {}), int(row["seed"])
            learner = learners.setdefault(seed, Learned(seed, [], []))
            learner.steps.append(int(row["env_steps"]))
            learner.returns.append(float(row["test_return"]))
    return {key: list(learners.values()) for key, learners in found.items()}
