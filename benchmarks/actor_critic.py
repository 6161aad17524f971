"""Environment steps of all seeds per second: A2C and PPO on CartPole, against Stable-Baselines3 with the same settings.

    pip install 'pg-experiments[bench]'
    python -m benchmarks.actor_critic

A2C has the settings of Stable-Baselines3 for CartPole: 8 environments, 5 steps, RMSprop. PPO has the usual ones of
classic control: 8 environments, 128 steps, 4 mini-batches, 4 epochs. Both sides have the same networks, and train for a
fixed number of steps. Ours records everything that a run records; the other side records nothing, and uses one thread,
with which it is faster. The sides take turns, and a ratio is the median over rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time

import torch

from benchmarks.common import machine, prepared, write_speeds

ENVS = 8
TARGETS = {"a2c, num_seeds=1": 4, "a2c, num_seeds=32": 40, "ppo, num_seeds=1": 5, "ppo, num_seeds=32": 30}
OVERRIDES = {
    "a2c": ("algorithm=a2c", "returns.gae_lambda=1", "optimizer.max_grad_norm=0.5"),
    "ppo": (
        "algorithm=ppo",
        "collect.num_steps=128",
        "algorithm.epochs=4",
        "algorithm.num_minibatches=4",
        "algorithm.entropy_bonus=0",
        "returns.gae_lambda=0.95",
        "baseline.clip_range=null",
        "optimizer.learning_rate=0.001",
    ),
}
STEPS = {("a2c", 1): 40_000, ("a2c", 32): 20_000, ("ppo", 1): 40_000, ("ppo", 32): 10_000}  # of each seed
THEIR_STEPS = {"a2c": 20_000, "ppo": 20_000}


def their_steps_per_second(algorithm: str, seed: int) -> float:
    """Stable-Baselines3, one seed, without recording."""
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("CartPole-v1", n_envs=ENVS, seed=seed)
    if algorithm == "a2c":
        model = A2C("MlpPolicy", env, seed=seed, device="cpu")
    else:
        settings = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 0.001}
        model = PPO("MlpPolicy", env, seed=seed, device="cpu", **settings)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started = time.perf_counter()
    model.learn(THEIR_STEPS[algorithm])
    elapsed = time.perf_counter() - started
    torch.set_num_threads(threads)
    return model.num_timesteps / elapsed


def our_steps_per_second(algorithm: str, num_seeds: int, seed: int, steps: int) -> float:
    """A whole run, tracking and all."""
    limits = (f"env.max_steps={steps}", "env.threshold=inf", f"collect.num_envs={ENVS}")
    overrides = (*OVERRIDES[algorithm], *limits, f"num_seeds={num_seeds}", f"seed={seed}", "device=cpu")
    with prepared(*overrides) as (run, tracker):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        elapsed = time.perf_counter() - started
        return sum(account.env_steps for account in run.accounts.seeds) / elapsed


def one_round(index: int) -> dict[str, float]:
    """Each side once, in turn."""
    speeds = {}
    for algorithm in OVERRIDES:
        speeds[f"{algorithm}, Stable-Baselines3"] = their_steps_per_second(algorithm, index)
        for num_seeds in (1, 32):
            steps = STEPS[algorithm, num_seeds]
            speed = our_steps_per_second(algorithm, num_seeds, num_seeds * index, steps)
            speeds[f"{algorithm}, num_seeds={num_seeds}"] = speed
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("file", nargs="?", help="a JSON file that is written")
    arguments = parser.parse_args()
    for algorithm in OVERRIDES:  # what is imported or compiled on first use is no part of training
        our_steps_per_second(algorithm, 1, 1000, 2_000)
    rounds = []
    for index in range(arguments.rounds):
        rounds.append(one_round(index))
        print(f"round {index + 1}: " + "  ".join(f"{k} {v:,.0f}" for k, v in rounds[-1].items()), flush=True)
    ratios = {
        name: statistics.median(r[name] / r[f"{name.partition(',')[0]}, Stable-Baselines3"] for r in rounds)
        for name in TARGETS
    }
    print(f"\n{machine()}, torch {torch.__version__}\n\n{'side':<28}{'steps/s':>10}{'ratio':>8}{'target':>8}")
    for name in rounds[0]:
        speed = statistics.median(r[name] for r in rounds)
        target = f"{ratios[name]:>8.1f}{TARGETS[name]:>8}" if name in TARGETS else ""
        print(f"{name:<28}{speed:>10,.0f}{target}")
    write_speeds(arguments.file, rounds, ratios)
    print(f"\nratio {min(ratios[name] / target for name, target in TARGETS.items()):.2f}")


if __name__ == "__main__":
    main()
