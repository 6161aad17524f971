"""Accounts of episodes that continue across batches: how to repeat them exactly, and what they have earned so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pg_experiments.tensors.rollout import Episodes
from pg_experiments.tensors.streams import episode_seeds


class Ongoing:
    """The episode that each of N = R · E environments is in; environment r · E + e is the e-th of learner r.

    An episode is repeated from its seed and its actions, so a checkpoint holds these and no environment's state.
    """

    def __init__(self, seeds: Sequence[int], envs: int) -> None:
        """`seeds` are the learners', `envs` the number E of environments of each."""
        self.seeds = list(seeds)
        self.envs = envs
        N = len(self.seeds) * envs
        self.numbers = np.full(N, -1, dtype=np.int64)  # index of the environment's episode; −1 before its first
        self.returns = np.zeros(N)  # undiscounted sum of rewards so far
        self.lengths = np.zeros(N, dtype=np.int64)  # steps so far
        self._log: list[list[np.ndarray]] = [[] for _ in self.seeds]  # fragments [T, E, *action_shape] of each learner

    def begin(self, envs: np.ndarray) -> list[int]:
        """Counts a new episode in each of these environments [n]. Returns their episodes' seeds."""
        self.numbers[envs] += 1
        return self.episode_seeds(envs)

    def episode_seeds(self, envs: Iterable[int]) -> list[int]:
        """The seeds of the episodes that these environments are in, from (seed, index of the episode, environment)."""
        places = [divmod(int(index), self.envs) for index in envs]
        numbers = self.numbers.reshape(-1, self.envs)
        return [episode_seeds(self.seeds[r], int(numbers[r, e]), self.envs)[e] for r, e in places]

    def add(self, active: np.ndarray, actions: np.ndarray, rewards: np.ndarray, ended: np.ndarray) -> list[Episodes]:
        """Adds a fragment of the active learners.

        Args:
            active: [R] indices of the learners.
            actions: [T, R, E, *action_shape], as the environments took them.
            rewards: [T, R, E].
            ended: [T, R, E] bool: an episode ended with this step.

        Returns:
            The episodes that ended, of each learner, in order of time and then of environment.
        """
        finished = [self._add(learner, rewards[:, r], ended[:, r]) for r, learner in enumerate(active.tolist())]
        for r, learner in enumerate(active.tolist()):
            log = self._log[learner]
            log.append(actions[:, r])
            needed = int(self.lengths[learner * self.envs :][: self.envs].max())
            while log and sum(map(len, log)) - len(log[0]) >= needed:
                log.pop(0)
        return finished

    def _add(self, learner: int, rewards: np.ndarray, ended: np.ndarray) -> Episodes:
        """Adds rewards and ends [T, E] of one learner to the sums."""
        first = learner * self.envs
        starts = np.zeros(self.envs, dtype=np.int64)
        returns, lengths = [], []
        for t, e in np.argwhere(ended).tolist():
            piece = rewards[starts[e] : t + 1, e]
            returns.append(self.returns[first + e] + piece.sum(dtype=np.float64))
            lengths.append(self.lengths[first + e] + len(piece))
            self.returns[first + e], self.lengths[first + e], starts[e] = 0.0, 0, t + 1
        for e, start in enumerate(starts.tolist()):
            self.returns[first + e] += rewards[start:, e].sum(dtype=np.float64)
            self.lengths[first + e] += len(rewards) - start
        return Episodes(torch.tensor(returns, dtype=torch.float32), torch.tensor(lengths, dtype=torch.int64))

    def actions(self) -> list[np.ndarray]:
        """The actions [length, *action_shape] of each environment's unfinished episode."""
        found = []
        for r, log in enumerate(self._log):
            for e in range(self.envs):
                length = int(self.lengths[r * self.envs + e])
                recorded = np.concatenate([part[:, e] for part in log]) if log else np.zeros(0, dtype=np.int64)
                found.append(recorded[len(recorded) - length :])
        return found

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        arrays = {"numbers": self.numbers, "returns": self.returns, "lengths": self.lengths}
        logs = [torch.from_numpy(np.concatenate(log)) if log else None for log in self._log]
        return {**{name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, "actions": logs}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        for name in ("numbers", "returns", "lengths"):
            getattr(self, name)[:] = state[name].numpy()
        logs: list[Tensor | None] = state["actions"]
        self._log = [[] if log is None else [log.numpy()] for log in logs]
