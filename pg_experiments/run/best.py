"""Tracks the parameters of each seed at its highest mean return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


class Best:
    """A copy of each seed's parameters at its highest mean return; until its window is full, the newest ones.

    Kept are the parameters that played the last episodes of the window. Where returns have a ceiling, many windows are
    equal: the first may be luck, and the last is the one after which returns fell. Of n equal windows the one whose
    number is the largest power of two up to n is kept, which has others before and, mostly, after it.
    """

    def __init__(self, policy: nn.Module, seeds: int) -> None:
        self.parameters = {name: value.detach().clone() for name, value in policy.state_dict().items()}
        self.mean_return = np.full(seeds, -np.inf)
        self.update = np.zeros(seeds, dtype=np.int64)  # number of updates at that time
        self.windows = np.zeros(seeds, dtype=np.int64)  # number of windows with this mean return

    def follow(
        self, policy: nn.Module, learners: np.ndarray, mean_returns: np.ndarray, full: np.ndarray, update: int
    ) -> None:
        """Copies the parameters of learners whose mean return is their highest so far. Called before learning.

        Args:
            policy: the policy that has played a batch; its state has the learners on the leading axis.
            learners: [R] indices of the learners that have played it.
            mean_returns: [R] mean returns of their windows, with the batch.
            full: [R] bool, whether their windows are full.
            update: number of updates made so far.
        """
        is_better = full & (mean_returns > self.mean_return[learners])
        is_equal = full & (mean_returns == self.mean_return[learners])
        self.windows[learners[is_better]] = 1
        self.windows[learners[is_equal]] += 1
        is_power = self.windows[learners] & (self.windows[learners] - 1) == 0
        self._copy(policy, learners[is_better | (is_equal & is_power)], update)
        self.mean_return[learners[is_better]] = mean_returns[is_better]

    def renew(self, policy: nn.Module, learners: np.ndarray, update: int) -> None:
        """Copies the newest parameters of learners whose windows have not been full yet. Called after learning.

        Args:
            policy: the policy that has learned.
            learners: [R] indices of the learners that have.
            update: number of updates made so far.
        """
        self._copy(policy, learners[self.mean_return[learners] == -np.inf], update)

    @torch.no_grad()
    def _copy(self, policy: nn.Module, learners: np.ndarray, update: int) -> None:
        if not len(learners):
            return
        chosen = torch.from_numpy(learners)
        for name, value in policy.state_dict().items():
            if len(learners) == len(self.update):
                self.parameters[name].copy_(value)
            else:
                where = chosen.to(value.device)
                self.parameters[name][where] = value[where]
        self.update[learners] = update

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores; the mean return is −inf where no window has been full."""
        return {
            "mean_return": torch.from_numpy(self.mean_return.copy()),
            "update": torch.from_numpy(self.update.copy()),
            "windows": torch.from_numpy(self.windows.copy()),
            "policy": self.parameters,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.mean_return[:], self.update[:] = state["mean_return"].numpy(), state["update"].numpy()
        if "windows" in state:  # absent in earlier runs
            self.windows[:] = state["windows"].numpy()
        for name, value in self.parameters.items():
            value.copy_(state["policy"][name])
