"""The project's own episode accounts: what each seed has played, and whether that solves its environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass
class SeedAccount:
    """One seed's history."""

    seed: int
    returns: list[float] = field(default_factory=list)  # undiscounted, one per episode, in order of quota
    env_steps: int = 0
    episodes_to_solve: int | None = None

    @property
    def episodes(self) -> int:
        """Episodes played."""
        return len(self.returns)

    @property
    def solved(self) -> bool:
        """Whether the mean of a full window ever reached the threshold."""
        return self.episodes_to_solve is not None

    def enter(self, episode_return: float, window: int, solved_at: float) -> None:
        """Count an episode."""
        self.returns.append(episode_return)
        if self.episodes >= window and not self.solved and self.mean_return(window) >= solved_at:
            self.episodes_to_solve = self.episodes

    def mean_return(self, window: int) -> float:
        """Mean of the last `window` returns; NaN before the first episode."""
        return float(np.mean(self.returns[-window:])) if self.returns else float("nan")


class Accounts:
    """The accounts of all seeds, and which of them go on."""

    def __init__(
        self,
        seeds: list[int],
        *,
        solved_at: float,
        window: int,
        quota: int | None,
        max_episodes: int | None,
        max_steps: int | None,
    ) -> None:
        """`quota` is the number of episodes in a batch; None where episodes end when they will."""
        self.seeds = [SeedAccount(seed) for seed in seeds]
        self.solved_at = solved_at
        self.window = window
        self.quota = quota
        self.max_episodes = max_episodes
        self.max_steps = max_steps

    @property
    def active(self) -> np.ndarray:
        """The learners that go on, by index: neither solved nor at a limit. No batch exceeds `max_episodes`."""
        going = [not account.solved and not self._at_limit(account) for account in self.seeds]
        return np.flatnonzero(going)

    @property
    def progress(self) -> list[float]:
        """For each seed, the share of its limits that is used up, 0 to 1."""
        return [self._progress(account) for account in self.seeds]

    def add(self, learners: np.ndarray, steps: np.ndarray, returns: Sequence[np.ndarray]) -> None:
        """Enter one batch of those learners [R], by index: the steps [R] learned from, and what episodes returned.

        Where a batch is a quota of episodes they come in its order, never in that of their ends, which would put
        short ones first.
        """
        for learner, seed_steps, seed_returns in zip(learners, steps, returns, strict=True):
            account = self.seeds[learner]
            account.env_steps += int(seed_steps)
            for episode_return in seed_returns:
                account.enter(float(episode_return), self.window, self.solved_at)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "env_steps": [account.env_steps for account in self.seeds],
            "returns": [torch.tensor(account.returns, dtype=torch.float64) for account in self.seeds],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Which seeds are solved is counted again, since the threshold may be another now."""
        for account, env_steps, returns in zip(self.seeds, state["env_steps"], state["returns"], strict=True):
            account.env_steps = env_steps
            for episode_return in returns.tolist():
                account.enter(episode_return, self.window, self.solved_at)

    def mean_returns(self) -> np.ndarray:
        """[R] mean return of each seed's last `window` episodes."""
        return np.array([account.mean_return(self.window) for account in self.seeds])

    def _at_limit(self, account: SeedAccount) -> bool:
        next_batch = self.quota or 1
        too_many = self.max_episodes is not None and account.episodes + next_batch > self.max_episodes
        return too_many or (self.max_steps is not None and account.env_steps >= self.max_steps)

    def _progress(self, account: SeedAccount) -> float:
        shares = [0.0]
        if self.max_episodes is not None:
            shares.append(account.episodes / self.max_episodes)
        if self.max_steps is not None:
            shares.append(account.env_steps / self.max_steps)
        return min(1.0, max(shares))
