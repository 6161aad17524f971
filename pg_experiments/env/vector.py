"""Vector environments whose finished members stand still until they are reset.

Both classes speak Gymnasium's vector API with autoreset DISABLED: nothing is ever reset behind the caller's
back, so a reset transition cannot reach a loss. `reset(seed=[...], options={"reset_mask": mask})` starts new
episodes where the mask says so; an environment whose episode has ended gives reward 0 and its last observation.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

Step = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]
Reset = tuple[np.ndarray, dict[str, Any]]


class StandingCartPole(CartPoleVectorEnv):
    """Gymnasium's native CartPole, each of its poles with a seed of its own.

    An environment reset with seed s starts where `gymnasium.make("CartPole-v1").reset(seed=s)` does, whoever its
    neighbours are.
    """

    metadata: dict[str, Any] = {**CartPoleVectorEnv.metadata, "autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, num_envs: int, **kwargs: Any) -> None:
        super().__init__(num_envs, **kwargs)
        self._finished = np.ones(num_envs, dtype=np.bool_)
        self.state = np.zeros((4, num_envs))

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Reset:
        chosen = np.flatnonzero((options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_)))
        seeds = [None] * self.num_envs if seed is None else seed
        for index in chosen:
            rng, _ = gymnasium.utils.seeding.np_random(seeds[index])
            self.state[:, index] = rng.uniform(low=self.low, high=self.high, size=4)
        self.steps[chosen] = 0
        self._finished[chosen] = False
        return self.state.T.astype(np.float32), {}

    def step(self, action: np.ndarray) -> Step:
        finished, stood = self._finished, self.state[:, self._finished]
        self.prev_done[:] = False  # the base class resets what is marked here
        _, rewards, terminated, truncated, infos = super().step(action)
        self.state[:, finished] = stood
        rewards[finished] = 0.0
        terminated &= ~finished
        truncated &= ~finished
        self._finished = finished | terminated | truncated
        return self.state.T.astype(np.float32), rewards, terminated, truncated, infos


class StandingSyncVectorEnv(SyncVectorEnv):
    """Gymnasium's serial vector environment, except that nobody steps the members that have finished."""

    def __init__(self, env_fns: Any) -> None:
        super().__init__(env_fns, autoreset_mode=AutoresetMode.DISABLED)
        self._finished = np.ones(self.num_envs, dtype=np.bool_)
        self._standing = np.zeros(self.observation_space.shape or (), dtype=np.float32)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Reset:
        chosen = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        for index in np.flatnonzero(chosen):
            self._standing[index], _ = self.envs[index].reset(seed=None if seed is None else seed[index])
        self._finished = self._finished & ~chosen
        return self._standing.copy(), {}

    def step(self, actions: np.ndarray) -> Step:
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=np.bool_)
        for index in np.flatnonzero(~self._finished):
            observation, reward, terminated[index], truncated[index], _ = self.envs[index].step(actions[index])
            self._standing[index], rewards[index] = observation, float(reward)
        self._finished = self._finished | terminated | truncated
        return self._standing.copy(), rewards, terminated, truncated, {}
