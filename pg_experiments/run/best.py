"""The policy of each seed at its best: when the mean return of its window was highest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


class Best:
    """A copy of the parameters that had played best, each seed's own; until a window is full, the newest."""

    def __init__(self, policy: nn.Module, seeds: int) -> None:
        self.parameters = {name: value.detach().clone() for name, value in policy.state_dict().items()}
        self.mean_return = np.full(seeds, -np.inf)
        self.update = np.zeros(seeds, dtype=np.int64)  # how many updates had been made

    @torch.no_grad()
    def follow(
        self, policy: nn.Module, learners: np.ndarray, mean_returns: np.ndarray, full: np.ndarray, update: int
    ) -> None:
        """Take over the parameters of the learners that are better than ever, after an update.

        Args:
            policy: its state has the learners on the leading axis.
            learners: [R] that took part, by index.
            mean_returns: [R] of their windows.
            full: [R] bool, whether their windows are full.
            update: how many updates have been made.
        """
        known = np.where(full, mean_returns, -np.inf)
        is_better = known >= self.mean_return[learners]
        if not is_better.any():
            return
        better = learners[is_better]
        chosen = torch.from_numpy(better)
        for name, value in policy.state_dict().items():
            where = chosen.to(value.device)
            self.parameters[name][where] = value[where]
        self.mean_return[better], self.update[better] = known[is_better], update

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps; a mean return of −inf where no window was full yet."""
        return {
            "mean_return": torch.from_numpy(self.mean_return.copy()),
            "update": torch.from_numpy(self.update.copy()),
            "policy": self.parameters,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.mean_return[:], self.update[:] = state["mean_return"].numpy(), state["update"].numpy()
        for name, value in self.parameters.items():
            value.copy_(state["policy"][name])
