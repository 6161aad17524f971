"""A task of memory: a cue is shown with the first observation and is asked for some steps later."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

ID = "Recall-v0"
DELAY = 5  # steps between the cue and the question


class Recall(gymnasium.Env[np.ndarray, Any]):
    """Observations are (cue, is asked), the cue ±1 at first and 0 later; reward 1 for the cue's action when asked.

    An episode has DELAY + 1 steps. A policy without memory has a mean return of 1/2.
    """

    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.cue, self.steps = int(self.np_random.integers(2)), 0
        return np.array([2 * self.cue - 1, 0], np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        is_asked = self.steps == DELAY
        self.steps += 1
        observation = np.array([0, self.steps == DELAY], np.float32)
        return observation, float(is_asked and action == self.cue), is_asked, False, {}


if ID not in gymnasium.registry:
    gymnasium.register(ID, Recall, max_episode_steps=DELAY + 1)
