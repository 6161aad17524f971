"""CartPole without velocities: a partially observed task, for policies with a memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.spaces import Box

POSITIONS = (0, 2)  # of the four numbers of a state: the cart's position x, and the pole's angle θ


class MaskedCartPole(CartPoleEnv):
    """Gymnasium's CartPole, of whose state (x, x', θ, θ') only x and θ are observed."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode=render_mode)
        self.observation_space = observed(self.observation_space)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        observation, info = super().reset(seed=seed, options=options)
        return observation[list(POSITIONS)], info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)  # type: ignore[no-untyped-call]
        return observation[list(POSITIONS)], reward, terminated, truncated, info


def observed(space: Any) -> Box:
    """The space of the observed numbers of CartPole's observation space."""
    return Box(space.low[list(POSITIONS)], space.high[list(POSITIONS)], dtype=np.float32)
