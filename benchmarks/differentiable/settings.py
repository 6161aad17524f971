"""How many environment steps a swing-up takes: three algorithms on two environments. A seed stops when it is solved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.ladder.measure import Measurements, Result
from benchmarks.ladder.rungs import Ladder, Rung

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "results"
VARIANCE, JUMPS = RESULTS / "differentiable_variance.csv", RESULTS / "differentiable_jumps.csv"
SEEDS, WINDOW = range(10), 32

REINFORCE = (
    *("algorithm=reinforce", "collect=episodes", "collect.episodes=8", "returns=reward_to_go"),
    *("baseline=leave_one_out", "normalization=advantages", "policy.hidden=64", "policy.layers=2"),
    *("policy.activation=tanh", "policy.dropout=0", "optimizer.max_grad_norm=0.5"),
)
PPO = (
    *("algorithm=ppo", "collect.num_envs=32", "collect.num_steps=64", "algorithm.num_minibatches=8"),
    *("algorithm.epochs=10", "algorithm.entropy_bonus=0", "optimizer.schedule=constant"),
)


def swing_up(name: str, title: str, experiment: str, threshold: float, steps: int, lowest: float) -> Ladder:
    """The three algorithms on one environment."""
    shared = (f"env={name}_swing_up", f"env.max_steps={steps}", f"env.threshold={threshold}", f"env.window={WINDOW}")
    shared += ("policy.initial_std=0.5",)
    return Ladder(
        name=name,
        title=title,
        experiment=experiment,
        threshold=threshold,
        window=WINDOW,
        returns=(lowest, 1.2 * threshold),
        learning_rates=(),
        trial_seeds=range(0),
        shown_seeds=SEEDS,
        introduction="",
        findings=(),
        rungs=(
            Rung("pathwise", "backpropagation", (), "", (0.003,)),
            Rung("ppo", "PPO", (*PPO, *shared), "", (0.001,)),
            Rung("reinforce", "REINFORCE", (*REINFORCE, *shared), "", (0.003,)),
        ),
    )


ENVIRONMENTS = (
    swing_up("pendulum", "Pendulum", "pathwise_pendulum", 150, 150_000, 0),
    swing_up("cartpole", "Cart-pole", "pathwise_cartpole", 60, 150_000, -20),
)


def measure(environment: Ladder) -> dict[str, list[Result]]:
    """Trains what has not been measured yet. Only backpropagation has an experiment of its own."""
    measurements, found = Measurements(measured_file(environment)), {}
    for rung in environment.rungs:
        preset = environment.experiment if rung.name == "pathwise" else ""
        ladder, (rate,) = replace(environment, experiment=preset), rung.learning_rates
        found[rung.name] = measurements.measure(ladder, rung.name, rung.overrides, rate, environment.shown_seeds)
    return found


def measured_file(environment: Ladder) -> Path:
    """The CSV file of an environment's measurements."""
    return RESULTS / f"differentiable_{environment.name}.csv"
