"""Environment steps that count, per second of training on CartPole, against the plain loop of the text.

    python -m benchmarks.cartpole

The plain side is what a reader of the text would write: one environment, one `Categorical` per step, one update
per episode, nothing recorded. Ours is the default experiment with everything that it records, to its end, with one
seed and with 32. Masked steps (an episode that is over while another goes on, a seed that has stopped) do not
count. The sides take turns, and the ratio is the median over rounds.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time

import gymnasium
import torch
from torch import nn
from torch.nn import functional

from benchmarks.common import machine, prepared

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
    """The plain loop, for some seconds; started anew when it is solved, as ours stops then."""
    torch.manual_seed(seed)
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=seed)
    steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < REFERENCE_SECONDS:
        policy = PlainPolicy()
        optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
        history: list[float] = []
        while len(history) < 500 and time.perf_counter() - started < REFERENCE_SECONDS:
            history.append(plain_episode(env, policy, optimizer))
            steps += int(history[-1])
            if len(history) >= 25 and statistics.fmean(history[-25:]) >= 475:
                break
        elapsed = time.perf_counter() - started
    return steps / elapsed


def plain_episode(env: gymnasium.Env, policy: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """One episode and one update. Returns the episode's return."""
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
    return sum(rewards)


def our_steps_per_second(num_seeds: int, seed: int) -> float:
    """The default experiment to its end, tracking and all."""
    with prepared(f"num_seeds={num_seeds}", f"seed={seed}", "device=cpu") as (run, tracker):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        elapsed = time.perf_counter() - started
        return sum(account.env_steps for account in run.accounts.seeds) / elapsed


def main() -> None:
    our_steps_per_second(1, 1000)  # what is imported on first use is no part of training
    rows = []
    for index in range(ROUNDS):
        plain = plain_steps_per_second(index)
        one, many = our_steps_per_second(1, index), our_steps_per_second(32, 32 * index)
        rows.append((plain, one, many))
        print(f"round {index + 1}: plain {plain:,.0f}  1 seed {one:,.0f}  32 seeds {many:,.0f} steps/s", flush=True)
    print(f"\n{machine()}, torch {torch.__version__}\n")
    plain, one, many = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{'side':<28}{'steps/s':>10}{'ratio':>8}")
    for name, speed in (("plain loop", plain), ("ours, num_seeds=1", one), ("ours, num_seeds=32", many)):
        print(f"{name:<28}{speed:>10,.0f}{speed / plain:>8.1f}")
    print(f"\nratio_1 {statistics.median(row[1] / row[0] for row in rows):.2f}")
    print(f"ratio {statistics.median(row[2] / row[0] for row in rows):.2f}")


if __name__ == "__main__":
    main()
