"""Tracks the parameters of each seed at its highest mean return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


class Best:
    """A copy of each seed's parameters at its highest mean return; until its window is full, the newest ones."""

    def __init__(self, policy: nn.Module, seeds: int) -> None:
        self.parameters = {name: value.detach().clone() for name, value in policy.state_dict().items()}
        self.mean_return = np.full(seeds, -np.inf)
        self.update = np.zeros(seeds, dtype=np.int64)  # number of updates at that time

    @torch.no_grad()
    def follow(
        self, policy: nn.Module, learners: np.ndarray, mean_returns: np.ndarray, full: np.ndarray, update: int
    ) -> None:
        """Copies the parameters of learners whose mean return is at least their highest so far.

        Args:
            policy: the policy; its state has the learners on the leading axis.
            learners: [R] indices of the learners that took part in the update.
            mean_returns: [R] mean returns of their windows.
            full: [R] bool, whether their windows are full.
            update: number of updates made so far.
        """
        known = np.where(full, mean_returns, -np.inf)
        is_better = known >= self.mean_return[learners]
        if not is_better.any():
            return
        better = learners[is_better]
        chosen = torch.from_numpy(better)
        for name, value in policy.state_dict().items():
            if len(better) == len(self.update):
                self.parameters[name].copy_(value)
            else:
                where = chosen.to(value.device)
                self.parameters[name][where] = value[where]
        self.mean_return[better], self.update[better] = known[is_better], update

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores; the mean return is −inf where no window has been full."""
        return {
            "mean_return": torch.from_numpy(self.mean_return.copy()),
            "update": torch.from_numpy(self.update.copy()),
            "policy": self.parameters,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.mean_return[:], self.update[:] = state["mean_return"].numpy(), state["update"].numpy()
        for name, value in self.parameters.items():
            value.copy_(state["policy"][name])
