"""How many environment steps a chain of springs takes: three algorithms, with any number of masses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.common import checked
from benchmarks.differentiable.optimum import idle_return, optimal_return
from benchmarks.differentiable.settings import RESULTS
from benchmarks.differentiable.solving import Learned, initial_states, read, trained, write
from pg_experiments.env.differentiable import DifferentiableEnv

FILE = RESULTS / "differentiable_springs.csv"
SEEDS = range(10)  # settings were chosen with others, 100 to 109
MASSES = (1, 4, 16)
SHARE = 0.95  # of the way from no actions to the optimum, at which a chain is solved
# Three settings of each were tried with 4 masses.
SHARED = ("env=spring_chain", "policy=linear", "policy.initial_std=1", "env.max_steps=150000")
ALGORITHMS = {
    "pathwise": ("experiment=pathwise_springs", "env.max_steps=15000"),
    "ppo": (
        *("algorithm=ppo", *SHARED, "algorithm.epochs=10", "algorithm.num_minibatches=4", "collect.num_envs=16"),
        *("collect.num_steps=50", "algorithm.entropy_bonus=0", "optimizer.schedule=constant"),
        "optimizer.learning_rate=0.005",
    ),
    "reinforce": (
        *("algorithm=reinforce", *SHARED, "collect=episodes", "collect.episodes=8", "returns=reward_to_go"),
        *("baseline=leave_one_out", "normalization=advantages", "optimizer.max_grad_norm=0.5"),
        "optimizer.learning_rate=0.03",
    ),
}
TITLES = {"pathwise": "backpropagation", "ppo": "PPO", "reinforce": "REINFORCE"}


class Levels(NamedTuple):
    """Mean returns of tests."""

    idle: float  # without actions
    optimum: float

    @property
    def threshold(self) -> float:
        """The return at which a seed is solved."""
        return self.idle + SHARE * (self.optimum - self.idle)


def levels(masses: int) -> Levels:
    """The levels of a chain with that many masses."""
    env = checked("env=spring_chain", f"env.masses={masses}").env
    assert isinstance(env, DifferentiableEnv)
    states = initial_states(env.system)
    return Levels(idle_return(env.system, states), optimal_return(env.system, states))


def measure() -> None:
    """Trains what the file does not have."""
    found = read(FILE) if FILE.exists() else {}
    for masses in MASSES:
        threshold = levels(masses).threshold
        for name, settings in ALGORITHMS.items():
            if (key := (name, masses)) not in found:
                found[key] = trained((*settings, f"env.masses={masses}"), SEEDS, threshold)
                write(found, FILE)
                solved = np.isfinite(steps(found[key], threshold)).sum()
                print(f"{name:<10} {masses:>2} masses: solved {solved} of {len(SEEDS)}", flush=True)


def steps(learned: list[Learned], threshold: float) -> np.ndarray:
    """[R]: environment steps of each seed until it was solved; infinity where it was not."""
    return np.array([one.steps_to(threshold) for one in learned])
