"""What the speeds of `benchmarks.actor_critic` need of the machine: multiplications per step, and how fast they can be.

    python -m benchmarks.roofline

A useful step takes one forward pass of the policy while acting, one of V(s) for credit and, for PPO, one of the policy
for the old log-probabilities; then, in each epoch, forward and backward pass of both. The products of these shapes are
measured by themselves, in processor time of one thread. Nothing else that an update needs is counted: a speed above the
resulting limit is out of reach, and one below it need not be within reach.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.actor_critic import ENVS, TARGETS
from benchmarks.common import machine

SPEEDS = Path("docs/results/speed/actor_critic.json")  # what benchmarks.actor_critic wrote
POLICY, VALUE = (4, 64, 64, 2), (4, 64, 64, 1)
EPOCHS = {"a2c": 1, "ppo": 4}
BATCH = {"a2c": 5 * ENVS, "ppo": 256}  # steps of a learner in a gradient step
REPEATS, ROUNDS = 50, 9


def forward_operations(widths: tuple[int, ...]) -> int:
    """Additions and multiplications of one observation."""
    return 2 * sum(inputs * outputs for inputs, outputs in pairwise(widths))


def backward_operations(widths: tuple[int, ...]) -> int:
    """The gradient of the weights, and that of each layer's input except for the first."""
    return 2 * forward_operations(widths) - 2 * widths[0] * widths[1]


def operations(algorithm: str) -> int:
    """Floating-point operations of the products of a useful step."""
    policy, value = forward_operations(POLICY), forward_operations(VALUE)
    before = policy + value + (policy if algorithm == "ppo" else 0)
    epoch = policy + value + backward_operations(POLICY) + backward_operations(VALUE)
    return before + EPOCHS[algorithm] * epoch


def rate(learners: int, steps: int) -> float:
    """Operations per second of one thread, for the products of the 64 × 64 layer: forward, and two of the gradient."""
    x, weights = torch.randn(learners, steps, 64), torch.randn(learners, 64, 64)
    products: list[Callable[[], torch.Tensor]] = [
        lambda: torch.bmm(x, weights),
        lambda: torch.bmm(x, weights.transpose(1, 2)),
        lambda: torch.bmm(x.transpose(1, 2), x),
    ]
    return sum(2 * learners * steps * 64 * 64 / _seconds(product) for product in products) / len(products)


def _seconds(product: Callable[[], torch.Tensor]) -> float:
    """Processor time of a product: the best mean of several rounds, as other work can only add to it."""
    means = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        for _ in range(REPEATS):
            product()
        means.append((time.thread_time() - started) / REPEATS)
    return min(means)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="a JSON file that is written")
    arguments = parser.parse_args()
    sides = json.loads(SPEEDS.read_text())["sides"]
    torch.set_num_threads(1)
    rows = {}
    for side, target in TARGETS.items():
        algorithm, learners = side.partition(",")[0], int(side.partition("=")[2])
        asked = target * sides[f"{algorithm}, Stable-Baselines3"]["steps_per_second"]
        measured = rate(learners, BATCH[algorithm])
        cores = 1 if learners == 1 else 2
        rows[side] = {
            "operations": operations(algorithm),
            "target": target,
            "steps_per_second": asked,
            "needed": asked * operations(algorithm) / 1e9,
            "cores": cores,
            "peak": cores * measured / 1e9,
        }
    print(f"{machine()}, torch {torch.__version__}\n")
    print(f"{'side':<18}{'operations/step':>16}{'asked steps/s':>15}{'GFLOP/s':>9}{'of at most':>11}{'share':>7}")
    for side, row in rows.items():
        counts = f"{row['operations']:>16,}{row['steps_per_second']:>15,.0f}{row['needed']:>9.1f}{row['peak']:>11.0f}"
        print(f"{side:<18}{counts}{row['needed'] / row['peak']:>7.0%}")
    if arguments.file is not None:
        measured_here = {"machine": machine(), "torch": torch.__version__, "sides": rows}
        arguments.file.write_text(json.dumps(measured_here, indent=2) + "\n")


if __name__ == "__main__":
    main()
