"""Environment steps that count, per second of training on CartPole, against the plain loop of the text.

    python -m benchmarks.cartpole [FILE.json]

Both sides train learners for the default's 500 episodes, without stopping at the threshold. The plain side is what a
reader of the text would write: one environment, one `Categorical` per step, one update per episode, nothing recorded;
since its speed does not depend on how far it is, it is timed for some seconds of it. Ours is the default experiment
with everything that it records, with one seed and with 32. Steps that are masked, because an episode is over while
another one continues, do not count. The sides take turns, and a ratio is the median over rounds.

The last row is for information: the default experiment with 32 seeds as one runs it, where a seed that is solved stops
and leaves its place empty, so that the slowest seeds end up nearly alone.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import sys
import time

import gymnasium
import torch
from torch import nn
from torch.nn import functional

from benchmarks.common import machine, prepared, write_speeds

ROUNDS = 3
REFERENCE_SECONDS = 8.0


class PlainPolicy(nn.Module):
    """Two layers, as in the text."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 128), nn.Linear(128, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(functional.relu(self.dropout(self.first(x))))


def plain_steps_per_second(seed: int) -> float:
    """The plain loop, for some seconds."""
    torch.manual_seed(seed)
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=seed)
    policy = PlainPolicy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < REFERENCE_SECONDS:
        steps += plain_episode(env, policy, optimizer)
    return steps / elapsed


def plain_episode(env: gymnasium.Env, policy: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """One episode and one update. Returns the episode's steps."""
    log_probs, rewards, done = [], [], False
    observation, _ = env.reset()
    while not done:
        logits = policy(torch.from_numpy(observation).unsqueeze(0))
        distribution = torch.distributions.Categorical(logits=logits)
        action = distribution.sample()
        observation, reward, terminated, truncated, _ = env.step(action.item())
        log_probs.append(distribution.log_prob(action))
        rewards.append(float(reward))
        done = terminated or truncated
    returns, running = [], 0.0
    for reward in reversed(rewards):
        running = reward + 0.99 * running
        returns.append(running)
    credit = torch.tensor(returns[::-1])
    credit = (credit - credit.mean()) / credit.std()
    loss = -(credit * torch.cat(log_probs)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return len(rewards)


def our_steps_per_second(num_seeds: int, seed: int, *overrides: str) -> float:
    """A whole run, tracking and all."""
    with prepared(f"num_seeds={num_seeds}", f"seed={seed}", "device=cpu", *overrides) as (run, tracker):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        elapsed = time.perf_counter() - started
        return sum(account.env_steps for account in run.accounts.seeds) / elapsed


def one_round(index: int) -> dict[str, float]:
    """Each side once, in turn."""
    return {
        "plain loop": plain_steps_per_second(index),
        "ours, num_seeds=1": our_steps_per_second(1, index, "env.threshold=inf"),
        "ours, num_seeds=32": our_steps_per_second(32, 32 * index, "env.threshold=inf"),
        "(32, stopping when solved)": our_steps_per_second(32, 32 * index),
    }


def main() -> None:
    our_steps_per_second(1, 1000, "env.max_episodes=20")  # what is imported on first use is no part of training
    rounds = []
    for index in range(ROUNDS):
        rounds.append(one_round(index))
        print(
            f"round {index + 1}: " + "  ".join(f"{name} {speed:,.0f}" for name, speed in rounds[-1].items()), flush=True
        )
    ratios = {name: statistics.median(r[name] / r["plain loop"] for r in rounds) for name in rounds[0]}
    print(f"\n{machine()}, torch {torch.__version__}\n\n{'side':<28}{'steps/s':>10}{'ratio':>8}")
    for name, ratio in ratios.items():
        print(f"{name:<28}{statistics.median(r[name] for r in rounds):>10,.0f}{ratio:>8.1f}")
    write_speeds(next(iter(sys.argv[1:]), None), rounds, ratios)
    print(f"\nratio_1 {ratios['ours, num_seeds=1']:.2f}\nratio {ratios['ours, num_seeds=32']:.2f}")


if __name__ == "__main__":
    main()
