"""One differentiable system as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from pg_experiments.env.differentiable.system import System
from pg_experiments.env.differentiable.vector import DifferentiableVectorEnv


class SingleDifferentiable(gymnasium.Env[np.ndarray, np.ndarray]):
    """A vector environment of one system, without its leading axis. It cannot be rendered."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, system: System) -> None:
        self.vector = DifferentiableVectorEnv(system, 1)
        self.observation_space, self.action_space = system.observation_space, system.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode, whose initial state the seed determines."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**32)) if seed is None else seed
        observations, info = self.vector.reset(seed=[drawn])
        return observations[0], info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Moves the system by one step."""
        actions = np.asarray(action, dtype=np.float32)[None]
        observations, rewards, terminated, truncated, info = self.vector.step(actions)
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info
