"""How many environment steps a chain of springs takes: three algorithms, with any number of masses."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from benchmarks.common import checked
from benchmarks.differentiable.optimum import idle_return, optimal_return
from benchmarks.differentiable.settings import RESULTS
from benchmarks.differentiable.solving import completed, initial_states
from pg_experiments.env.differentiable import DifferentiableEnv

FILE = RESULTS / "differentiable_springs.csv"
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
    chains = {
        (name, str(masses)): (*settings, f"env.masses={masses}")
        for masses, (name, settings) in product(MASSES, ALGORITHMS.items())
    }
    completed(chains, {str(masses): levels(masses).threshold for masses in MASSES}, FILE)
