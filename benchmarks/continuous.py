"""Environment steps of all seeds per second: PPO and SAC on Pendulum, against Stable-Baselines3 with the same settings.

    pip install 'pg-experiments[bench]'
    python -m benchmarks.continuous

PPO has 8 environments, 128 steps, 4 mini-batches and 4 epochs. SAC has one environment, and for each of its steps a
gradient step of 256 steps; with the networks of `experiment=sac_pendulum`, and with the usual two layers of 256 units.
The larger ones are shown without a target: 16 seeds have 16 times the matrix products of one seed, which are most of
its time. Both sides train for a fixed number of steps. Ours records everything that a run records; the other side
records nothing, and uses one thread, with which it is faster. The sides take turns, and a ratio is the median over
rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from typing import Any

import torch

from benchmarks.common import machine, prepared, write_speeds

PENDULUM = ("env=gymnasium", "env.id=Pendulum-v1", "env.max_episodes=null", "env.threshold=inf", "device=cpu")
TARGETS = {"ppo, num_seeds=1": 5, "ppo, num_seeds=16": 30, "sac 64, num_seeds=1": 1.5, "sac 64, num_seeds=16": 10}
OVERRIDES = {
    "ppo": (
        *("algorithm=ppo", "collect.num_envs=8", "collect.num_steps=128", "algorithm.entropy_bonus=0"),
        *("baseline.clip_range=null", "optimizer.learning_rate=0.001"),
    ),
    "sac 64": ("algorithm=sac", "policy.hidden=64", "algorithm.critic_hidden=64", "optimizer.learning_rate=0.001"),
    "sac 256": ("algorithm=sac", "optimizer.learning_rate=0.001"),
}
STEPS = {  # of each seed, by sides and number of seeds
    ("ppo", 1): 40_000,
    ("ppo", 16): 20_000,
    ("sac 64", 1): 2_000,
    ("sac 64", 16): 1_000,
    ("sac 256", 1): 1_000,
    ("sac 256", 16): 300,
}
THEIR_STEPS = {"ppo": 20_000, "sac 64": 1_500, "sac 256": 1_000}


def their_steps_per_second(side: str, seed: int) -> float:
    """Stable-Baselines3, one seed, without recording."""
    from stable_baselines3 import PPO, SAC
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("Pendulum-v1", n_envs=8 if side == "ppo" else 1, seed=seed)
    model: Any
    if side == "ppo":
        settings = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 0.001}
        model = PPO("MlpPolicy", env, seed=seed, device="cpu", **settings)
    else:
        width = int(side.split()[1])
        shape = {"net_arch": [width, width]}
        model = SAC("MlpPolicy", env, seed=seed, device="cpu", learning_rate=0.001, policy_kwargs=shape)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started = time.perf_counter()
    model.learn(THEIR_STEPS[side])
    elapsed = time.perf_counter() - started
    torch.set_num_threads(threads)
    return float(model.num_timesteps / elapsed)


def our_steps_per_second(side: str, num_seeds: int, seed: int, steps: int) -> float:
    """A whole run, tracking and all."""
    overrides = (*PENDULUM, *OVERRIDES[side], f"env.max_steps={steps}", f"num_seeds={num_seeds}", f"seed={seed}")
    with prepared(*overrides) as (run, tracker):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        elapsed = time.perf_counter() - started
        return sum(account.env_steps for account in run.accounts.seeds) / elapsed


def one_round(index: int) -> dict[str, float]:
    """Each side once, in turn."""
    speeds = {}
    for side in OVERRIDES:
        speeds[f"{side}, Stable-Baselines3"] = their_steps_per_second(side, index)
        for num_seeds in (1, 16):
            speed = our_steps_per_second(side, num_seeds, num_seeds * index, STEPS[side, num_seeds])
            speeds[f"{side}, num_seeds={num_seeds}"] = speed
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("file", nargs="?", help="a JSON file that is written")
    arguments = parser.parse_args()
    for side in ("ppo", "sac 64"):  # what is imported or compiled on first use is no part of training
        our_steps_per_second(side, 1, 1000, 200)
        their_steps_per_second("sac 64", 1000)
    rounds = []
    for index in range(arguments.rounds):
        rounds.append(one_round(index))
        print(f"round {index + 1}: " + "  ".join(f"{k} {v:,.0f}" for k, v in rounds[-1].items()), flush=True)
    ours = [name for name in rounds[0] if "num_seeds" in name]
    ratios = {
        name: statistics.median(r[name] / r[f"{name.partition(',')[0]}, Stable-Baselines3"] for r in rounds)
        for name in ours
    }
    print(f"\n{machine()}, torch {torch.__version__}\n\n{'side':<28}{'steps/s':>10}{'ratio':>8}{'target':>8}")
    for name in rounds[0]:
        speed = statistics.median(r[name] for r in rounds)
        ratio = f"{ratios[name]:>8.1f}{TARGETS.get(name, ''):>8}" if name in ratios else ""
        print(f"{name:<28}{speed:>10,.0f}{ratio}")
    write_speeds(arguments.file, rounds, ratios)
    print(f"\nratio {min(ratios[name] / target for name, target in TARGETS.items()):.2f}")


if __name__ == "__main__":
    main()
