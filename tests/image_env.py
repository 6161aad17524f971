"""An environment whose observations are images, registered by importing this module."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

ID, SIZE, STEPS = "TestBrightHalf-v0", 24, 8


class BrightHalf(gymnasium.Env[np.ndarray, np.int64]):
    """The brighter half of a noisy image tells the action that is paid: 0 for the left one, 1 for the right one."""

    observation_space = Box(0, 255, (SIZE, SIZE, 3), np.uint8)
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return self._next(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.right)
        return self._next(), reward, False, False, {}

    def _next(self) -> np.ndarray:
        self.right = int(self.np_random.integers(2))
        image = self.np_random.integers(0, 100, (SIZE, SIZE, 3), dtype=np.uint8)
        image[:, self.right * SIZE // 2 :][:, : SIZE // 2] += 100
        return image


if ID not in gymnasium.registry:
    gymnasium.register(ID, BrightHalf, max_episode_steps=STEPS)
