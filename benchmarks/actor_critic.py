"""Environment steps of all seeds per second: A2C and PPO on CartPole, against Stable-Baselines3 with the same settings.

    pip install 'pg-experiments[bench]'
    python -m benchmarks.actor_critic

A2C has the settings of Stable-Baselines3 for CartPole: 8 environments, 5 steps, RMSprop. PPO has the usual ones of
classic control: 8 environments, 128 steps, 4 mini-batches, 4 epochs. Both sides have the same networks, and train for a
fixed number of steps. Ours records everything that a run records; the other side records nothing, and uses one thread,
with which it is faster. The sides take turns, and a ratio is the median over rounds.
"""

from __future__ import annotations

from benchmarks.stable_baselines3 import THEIRS, Speeds, measure, our_steps_per_second, their_steps_per_second

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


def theirs(algorithm: str, seed: int) -> float:
    """The speed of Stable-Baselines3 with one seed."""
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("CartPole-v1", n_envs=ENVS, seed=seed)
    if algorithm == "a2c":
        model = A2C("MlpPolicy", env, seed=seed, device="cpu")
    else:
        settings = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 0.001}
        model = PPO("MlpPolicy", env, seed=seed, device="cpu", **settings)
    return their_steps_per_second(model, THEIR_STEPS[algorithm])


def ours(algorithm: str, num_seeds: int, seed: int, steps: int) -> float:
    """Our speed with some seeds."""
    limits = (f"env.max_steps={steps}", "env.threshold=inf", f"collect.num_envs={ENVS}")
    return our_steps_per_second(*OVERRIDES[algorithm], *limits, f"num_seeds={num_seeds}", f"seed={seed}")


def one_round(index: int) -> Speeds:
    """Each side once, in turn."""
    speeds = {}
    for algorithm in OVERRIDES:
        speeds[f"{algorithm}, {THEIRS}"] = theirs(algorithm, index)
        for num_seeds in (1, 32):
            speed = ours(algorithm, num_seeds, num_seeds * index, STEPS[algorithm, num_seeds])
            speeds[f"{algorithm}, num_seeds={num_seeds}"] = speed
    return speeds


def main() -> None:
    for algorithm in OVERRIDES:  # what is imported or compiled on first use is no part of training
        ours(algorithm, 1, 1000, 2_000)
    measure(__doc__, TARGETS, one_round)


if __name__ == "__main__":
    main()
