"""The project's own episode accounts: what each seed has played, and whether that solves its environment."""

from __future__ import annotations

import math
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
    error: str | None = None  # what stopped it when learning went wrong, and what may help

    @property
    def episodes(self) -> int:
        """Episodes played."""
        return len(self.returns)

    @property
    def solved(self) -> bool:
        """Whether the mean of a full window ever reached the threshold."""
        return self.episodes_to_solve is not None

    def enter(self, episode_return: float, window: int, solved_at: float) -> None:
        """Count an episode; of a seed that has failed it solves nothing."""
        self.returns.append(episode_return)
        may_solve = self.episodes >= window and not self.solved and not self.error
        if may_solve and self.mean_return(window) >= solved_at:
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
        """The learners that go on, by index: not solved, failed or at a limit. No batch exceeds `max_episodes`."""
        going = [not (account.solved or account.error or self._at_limit(account)) for account in self.seeds]
        return np.flatnonzero(going)

    @property
    def failed(self) -> list[SeedAccount]:
        """The seeds whose learning went wrong."""
        return [account for account in self.seeds if account.error]

    @property
    def failure(self) -> str | None:
        """All that failed, and why the first did; None where none has."""
        if not self.failed:
            return None
        first = f"seed {self.failed[0].seed} {self.failed[0].error}"
        numbers = ", ".join(str(account.seed) for account in self.failed)
        return first if len(self.failed) == 1 else f"seeds {numbers} failed; {first}"

    @property
    def progress(self) -> list[float]:
        """For each seed, the share of its limits that is used up, 0 to 1."""
        return [self._progress(account) for account in self.seeds]

    def add(self, learners: np.ndarray, steps: np.ndarray, returns: Sequence[np.ndarray]) -> None:
        """Enter one batch of those learners [R], by index: the steps [R] learned from, and what episodes returned.

        Where a batch is a quota of episodes they come in its order, never in that of their ends, which would put
        short ones first. The batch with which a seed failed is entered, but solves nothing.
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
            "errors": [account.error for account in self.seeds],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Which seeds are solved is counted again, since the threshold may be another now."""
        of_seeds = zip(self.seeds, state["env_steps"], state["returns"], state["errors"], strict=True)
        for account, env_steps, returns, error in of_seeds:
            account.env_steps, account.error = env_steps, error
            for episode_return in returns.tolist():
                account.enter(episode_return, self.window, self.solved_at)

    def mean_returns(self) -> np.ndarray:
        """[R] mean return of each seed's last `window` episodes."""
        return np.array([account.mean_return(self.window) for account in self.seeds])

    def final_returns(self) -> np.ndarray:
        """`mean_returns` as they count: a seed that failed with what it had reached, unless that is no number."""
        finals = self.mean_returns()
        return finals[[math.isfinite(final) or not a.error for final, a in zip(finals, self.seeds, strict=True)]]

    def objective(self) -> float:
        """The mean final return over seeds."""
        finals = self.final_returns()
        return float(finals.mean()) if len(finals) else math.nan

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
