"""How many environment steps two swing-ups take: three algorithms on each, until the highest of some returns."""

from __future__ import annotations

from benchmarks.differentiable.settings import RESULTS
from benchmarks.differentiable.solving import completed

FILE = RESULTS / "differentiable_swing_ups.csv"
ENVIRONMENTS = ("pendulum", "cartpole")
# Mean returns of tests. Seeds stop at the last one, which is 95 % of the best that long trainings of PPO came to.
LEVELS = {"pendulum": (120.0, 178.0), "cartpole": (60.0, 119.0)}
SHARED = ("policy.hidden=64", "policy.layers=2", "policy.activation=tanh", "policy.dropout=0", "policy.initial_std=0.5")
STEPS = 300_000  # the limit of those that do not use derivatives of the environment
# Settings were chosen by hand, after some ten trials of backpropagation, four of PPO and none of REINFORCE.
PPO = (
    *("algorithm=ppo", *SHARED, "collect.num_envs=8", "collect.num_steps=64", "algorithm.num_minibatches=8"),
    *("algorithm.epochs=10", "algorithm.entropy_bonus=0", "optimizer.schedule=constant"),
)
PPO_RATES = {"pendulum": 0.003, "cartpole": 0.001}
REINFORCE = (
    *("algorithm=reinforce", *SHARED, "collect=episodes", "collect.episodes=8", "returns=reward_to_go"),
    *("baseline=leave_one_out", "normalization=advantages", "optimizer.max_grad_norm=0.5"),
    "optimizer.learning_rate=0.003",
)


def measure() -> None:
    """Trains what the file does not have."""
    problems = {}
    for name in ENVIRONMENTS:
        shared = (f"env={name}_swing_up", f"env.max_steps={STEPS}")
        problems["pathwise", name] = (f"experiment=pathwise_{name}",)
        problems["ppo", name] = (*PPO, *shared, f"optimizer.learning_rate={PPO_RATES[name]}")
        problems["reinforce", name] = (*REINFORCE, *shared)
    completed(problems, {name: levels[-1] for name, levels in LEVELS.items()}, FILE)
