"""The short corridor with switched actions: a task whose optimal policy is stochastic."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

LEFT, RIGHT = range(2)  # actions
SWITCHED = 1  # the state in which the actions are exchanged
GOAL = 3  # the terminal state
CELL = 64  # pixels of a state's square in a picture
MARGIN = 8  # pixels


class ShortCorridor(gymnasium.Env[np.ndarray, np.int64]):
    """Sutton and Barto, "Reinforcement Learning", 2nd edition, example 13.1.

    States 0, 1 and 2 in a row, and the goal to the right of them. An episode begins in state 0. LEFT in state 0 changes
    nothing; in state 1 LEFT moves to the right, and RIGHT to the left. The reward of each step is −1.

    All states have the same observation, the number 1. A linear softmax policy without a bias therefore has one logit
    θ_a for each action, which is the parametrisation of the book. A policy with π(RIGHT) = p has the value
    −2 (2 − p) / (p (1 − p)): a deterministic one never reaches the goal, and p = 2 − √2 is optimal.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = Box(0.0, 1.0, (1,), np.float32)
        self.action_space = Discrete(2)
        self.state = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts an episode in state 0."""
        super().reset(seed=seed)
        self.state = 0
        return np.ones(1, dtype=np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Moves to the next state. The episode ends at the goal; its time limit is a wrapper's."""
        moves_right = (action == RIGHT) != (self.state == SWITCHED)
        self.state = self.state + 1 if moves_right else max(0, self.state - 1)
        return np.ones(1, dtype=np.float32), -1.0, self.state == GOAL, False, {}

    def render(self) -> Any:
        """The states as squares, uint8 [height, width, 3]: grey, the current one black."""
        image = np.full((CELL, CELL * (GOAL + 1), 3), 255, dtype=np.uint8)
        for state in range(GOAL + 1):
            square = slice(MARGIN, CELL - MARGIN), slice(CELL * state + MARGIN, CELL * (state + 1) - MARGIN)
            image[square] = 0 if state == self.state else 200
        return image
