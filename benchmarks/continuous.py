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

from benchmarks.stable_baselines3 import THEIRS, Speeds, measure, our_steps_per_second, their_steps_per_second

PENDULUM = ("env=gymnasium", "env.id=Pendulum-v1", "env.max_episodes=null", "env.threshold=inf")
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


def theirs(side: str, seed: int, steps: int) -> float:
    """The speed of Stable-Baselines3 with one seed."""
    from stable_baselines3 import PPO, SAC
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("Pendulum-v1", n_envs=8 if side == "ppo" else 1, seed=seed)
    if side == "ppo":
        settings = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 0.001}
        return their_steps_per_second(PPO("MlpPolicy", env, seed=seed, device="cpu", **settings), steps)
    width = int(side.split()[1])
    shape = {"net_arch": [width, width]}
    model = SAC("MlpPolicy", env, seed=seed, device="cpu", learning_rate=0.001, policy_kwargs=shape)
    return their_steps_per_second(model, steps)


def ours(side: str, num_seeds: int, seed: int, steps: int) -> float:
    """Our speed with some seeds."""
    of_run = (f"env.max_steps={steps}", f"num_seeds={num_seeds}", f"seed={seed}")
    return our_steps_per_second(*PENDULUM, *OVERRIDES[side], *of_run)


def one_round(index: int) -> Speeds:
    """Each side once, in turn."""
    speeds = {}
    for side in OVERRIDES:
        speeds[f"{side}, {THEIRS}"] = theirs(side, index, THEIR_STEPS[side])
        for num_seeds in (1, 16):
            speed = ours(side, num_seeds, num_seeds * index, STEPS[side, num_seeds])
            speeds[f"{side}, num_seeds={num_seeds}"] = speed
    return speeds


def main() -> None:
    for side in ("ppo", "sac 64"):  # what is imported or compiled on first use is no part of training
        ours(side, 1, 1000, 200)
        theirs(side, 1000, 200)
    measure(__doc__, TARGETS, one_round)


if __name__ == "__main__":
    main()
