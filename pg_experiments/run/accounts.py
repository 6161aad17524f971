"""Episode statistics of each seed: returns, steps, limits, and whether the environment is solved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass
class SeedAccount:
    """The history of one seed."""

    seed: int
    returns: list[float] = field(default_factory=list)  # undiscounted, one per episode, in the order of the quota
    env_steps: int = 0
    episodes_to_solve: int | None = None
    error: str | None = None  # reason where its learning failed, and settings that may help
    lowest: float = math.inf  # of all returns
    unchanged: int = 0  # number of the latest returns that are equal
    _mean: tuple[int, int, float] | None = field(default=None, repr=False, compare=False)  # episodes, window, mean

    @property
    def episodes(self) -> int:
        """Number of finished episodes."""
        return len(self.returns)

    @property
    def solved(self) -> bool:
        """Whether the mean return of a full window has reached the threshold."""
        return self.episodes_to_solve is not None

    def enter(self, episode_return: float, window: int, solved_at: float) -> None:
        """Adds an episode. A seed that has failed cannot become solved."""
        is_same = bool(self.returns) and episode_return == self.returns[-1]
        self.unchanged = self.unchanged + 1 if is_same else 1
        self.lowest = min(self.lowest, episode_return)
        self.returns.append(episode_return)
        may_solve = self.episodes >= window and not self.solved and not self.error and solved_at < math.inf
        if may_solve and self.mean_return(window) >= solved_at:
            self.episodes_to_solve = self.episodes

    def mean_return(self, window: int) -> float:
        """Mean of the last `window` returns; NaN before the first episode."""
        if not self.returns:
            return float("nan")
        if self._mean is None or self._mean[:2] != (self.episodes, window):
            recent = self.returns[-window:]
            self._mean = (self.episodes, window, math.fsum(recent) / len(recent))  # np.mean takes 5 times as long
        return self._mean[2]


class Accounts:
    """The accounts of all seeds, and the selection of seeds that continue training."""

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
        """`quota` is the number of episodes in a batch; None where it varies."""
        self.seeds = [SeedAccount(seed) for seed in seeds]
        self.solved_at = solved_at
        self.window = window
        self.quota = quota
        self.max_episodes = max_episodes
        self.max_steps = max_steps

    @property
    def active(self) -> np.ndarray:
        """Indices of the learners that are not solved, failed or at a limit. No batch exceeds `max_episodes`."""
        going = [not (account.solved or account.error or self._at_limit(account)) for account in self.seeds]
        return np.flatnonzero(going)

    @property
    def failed(self) -> list[SeedAccount]:
        """The seeds whose learning failed."""
        return [account for account in self.seeds if account.error]

    @property
    def failure(self) -> str | None:
        """A message with all failed seeds and the reason of the first; None where none has failed."""
        if not self.failed:
            return None
        first = f"seed {self.failed[0].seed} {self.failed[0].error}"
        numbers = ", ".join(str(account.seed) for account in self.failed)
        return first if len(self.failed) == 1 else f"seeds {numbers} failed; {first}"

    @property
    def progress(self) -> list[float]:
        """The used-up fraction of each seed's limits, 0 to 1."""
        return [self._progress(account) for account in self.seeds]

    def add(self, learners: np.ndarray, steps: np.ndarray, returns: Sequence[np.ndarray]) -> None:
        """Adds one batch of the learners with indices [R]: the number of steps [R], and the returns of episodes.

        Where a batch is a quota of episodes, returns are in the order of the quota. The order of their ends would put
        short episodes first. The batch with which a seed failed is added, but cannot solve the environment.
        """
        for learner, seed_steps, seed_returns in zip(learners, steps, returns, strict=True):
            account = self.seeds[learner]
            account.env_steps += int(seed_steps)
            for episode_return in seed_returns:
                account.enter(float(episode_return), self.window, self.solved_at)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        return {
            "env_steps": [account.env_steps for account in self.seeds],
            "returns": [torch.tensor(account.returns, dtype=torch.float64) for account in self.seeds],
            "errors": [account.error for account in self.seeds],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state. Solved seeds are determined again, as the threshold may have changed."""
        histories = zip(self.seeds, state["env_steps"], state["returns"], state["errors"], strict=True)
        for account, env_steps, returns, error in histories:
            account.env_steps, account.error = env_steps, error
            for episode_return in returns.tolist():
                account.enter(episode_return, self.window, self.solved_at)

    def mean_returns(self) -> np.ndarray:
        """[R] mean return of each seed's last `window` episodes."""
        return np.array([account.mean_return(self.window) for account in self.seeds])

    def windows_with(self, learners: np.ndarray, returns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The windows of the learners with indices [R] with a batch that has not been added yet.

        Args:
            learners: [R] indices of learners.
            returns: those of each learner's episodes in the batch, as in `add`.

        Returns:
            [R] mean returns, and [R] bool, whether an episode has ended and the window is full of finite returns.
        """
        means, full = np.full(len(learners), np.nan), np.zeros(len(learners), dtype=bool)
        for row, (learner, new) in enumerate(zip(learners, returns, strict=True)):
            account = self.seeds[learner]
            recent = (account.returns[-self.window :] + new.tolist())[-self.window :]
            full[row] = len(new) > 0 and len(recent) == self.window and all(map(math.isfinite, recent))
            if full[row]:
                means[row] = math.fsum(recent) / self.window
        return means, full

    def final_returns(self) -> np.ndarray:
        """`mean_returns` without those of failed seeds that are not finite."""
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
