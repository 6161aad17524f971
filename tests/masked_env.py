"""An environment of which some actions are forbidden at each step, and which fails if one of them is taken."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

ACTIONS = 4
ID = "MaskedWalk-v0"


class MaskedWalk(gymnasium.Env[np.ndarray, Any]):
    """Random observations and masks, which follow from the seed and the actions; reward 1 for action 3."""

    observation_space = Box(-1, 1, (3,), np.float32)
    action_space: gymnasium.Space[Any] = Discrete(ACTIONS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return self._shown(), {"action_mask": self._masked()}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if not self.mask[action]:
            raise AssertionError(f"action {action} is forbidden by {self.mask}")
        self.np_random.random(int(action))
        is_over = self.np_random.random() < 0.1
        mask = np.zeros(ACTIONS, np.int8) if is_over else self._masked()
        return self._shown(), float(action == 3), is_over, False, {"action_mask": mask}

    def _shown(self) -> np.ndarray:
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def _masked(self) -> np.ndarray:
        self.mask = (self.np_random.random(ACTIONS) < 0.4).astype(np.int8)
        self.mask[self.np_random.integers(ACTIONS)] = 1
        return self.mask.copy()


class Scripted(MaskedWalk):
    """Gives the masks of a list, the first by `reset`; None for no mask."""

    def __init__(self, masks: Any, several: bool = False) -> None:
        self.masks = masks
        if several:
            self.action_space = MultiDiscrete([2, 2])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        gymnasium.Env.reset(self, seed=seed)
        self.script = iter(self.masks)
        return self._shown(), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return self._shown(), 0.0, False, False, self._info()

    def _info(self) -> dict[str, Any]:
        mask = next(self.script)
        return {} if mask is None else {"action_mask": np.array(mask, np.int8)}


if ID not in gymnasium.registry:
    gymnasium.register(ID, MaskedWalk, max_episode_steps=25)
