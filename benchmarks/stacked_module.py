"""What a network of one's own costs: a PyTorch module that is stacked, against the same perceptron stacked by hand.

    python -m benchmarks.stacked_module [FILE.json]

Both train on CartPole with one hidden layer of 128 units and no dropout, one seed and 32, for the same number of
episodes, with everything that a run records. The sides take turns. `ratio_1 X` (one seed) and `ratio X` (32 seeds) come
last: environment steps per second by hand over those of the module, the median over rounds.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import sys
import time
from dataclasses import dataclass

from torch import nn

from benchmarks.common import machine, prepared, write_measured
from pg_experiments import option
from pg_experiments.app.offered import offer
from pg_experiments.policy import ModulePolicy
from pg_experiments.support.plugins import registered

ROUNDS = 7
EPISODES = {1: 200, 32: 60}
HIDDEN = 128


@option("policy", "module_perceptron")
@dataclass(frozen=True)
class ModulePerceptron(ModulePolicy):
    """The default's perceptron, as PyTorch has it."""

    def module(self, observation_shape: tuple[int, ...], outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(observation_shape[0], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs))


POLICIES = {
    "by hand": (f"policy.hidden={HIDDEN}", "policy.dropout=0", "policy.initialisation=torch"),
    "module": ("policy=module_perceptron",),
}


def steps_per_second(num_seeds: int, *overrides: str) -> float:
    """Of a whole training."""
    limits = (f"num_seeds={num_seeds}", f"env.max_episodes={EPISODES[num_seeds]}", "env.threshold=inf", "device=cpu")
    with prepared(*limits, *overrides) as (run, tracker), contextlib.redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        run.execute(tracker)
        elapsed = time.perf_counter() - started
        tracker.directory.release()
    return sum(account.env_steps for account in run.accounts.seeds) / elapsed


def main() -> None:
    """The command."""
    offer(registered(), [])
    speeds: dict[str, dict[str, float]] = {}
    ratios = {}
    for num_seeds in EPISODES:
        rounds = [{name: steps_per_second(num_seeds, *of) for name, of in POLICIES.items()} for _ in range(ROUNDS)]
        speeds[str(num_seeds)] = {name: statistics.median(each[name] for each in rounds) for name in POLICIES}
        for name, speed in speeds[str(num_seeds)].items():
            print(f"{num_seeds:>2} seeds, {name:<8} {speed:>9,.0f} steps/s")
        ratios[num_seeds] = statistics.median(each["by hand"] / each["module"] for each in rounds)
    print(f"\n{machine()}\n\nratio_1 {ratios[1]:.2f}\nratio {ratios[32]:.2f}")
    write_measured(next(iter(sys.argv[1:]), None), steps_per_second=speeds, ratio=ratios)


if __name__ == "__main__":
    main()
