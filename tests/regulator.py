"""Linear-quadratic problems whose optimal policies are known: registered with Gymnasium when imported.

`Regulator-v0`: the state s' = s + a + w costs s'² + a² per step, with a disturbance w in ±1/2, and an episode has 3
steps. Observations are the state at the place of the step, [3], so that a linear policy has a gain of its own for each
step. The optimal actions are −K_t s by the Riccati equation, whatever the disturbances and the exploration.

`BoundedRegulator-v0`: the state s' = s + a / 2 costs s² + a² / 2 per step, and episodes of 2 steps are truncated, so
that the optimal action is −K s by the discounted Riccati equation of an infinite horizon. Actions are between −2 and 2,
which optimal ones are far from.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode

STEPS = 3


class Regulator(gymnasium.Env):
    observation_space = Box(-np.inf, np.inf, (STEPS,))
    action_space = Box(-np.inf, np.inf, (1,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.state, self.steps = self.np_random.uniform(-1, 1), 0
        return self._observation(), {}

    def step(self, action):
        self.state += float(action[0]) + self.np_random.uniform(-0.5, 0.5)
        self.steps += 1
        cost = self.state**2 + float(action[0]) ** 2
        return self._observation(), -cost, self.steps == STEPS, False, {}

    def _observation(self):
        observation = np.zeros(STEPS, dtype=np.float32)
        observation[min(self.steps, STEPS - 1)] = self.state
        return observation


class ManyRegulators:
    """The same for N environments at once, without automatic resets."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012
    single_action_space = Regulator.action_space

    def __init__(self, count: int) -> None:
        self.count = count

    def reset(self, *, seed: list[int], options: dict[str, Any]):
        self.generator = np.random.default_rng(seed[0])
        self.states, self.steps = self.generator.uniform(-1, 1, self.count), 0
        return self._observations(), {}

    def step(self, actions: np.ndarray):
        self.states = self.states + actions[:, 0] + self.generator.uniform(-0.5, 0.5, self.count)
        self.steps += 1
        costs = self.states**2 + actions[:, 0] ** 2
        over = np.full(self.count, self.steps == STEPS)
        return self._observations(), -costs, over, np.zeros_like(over), {}

    def _observations(self) -> np.ndarray:
        observations = np.zeros((self.count, STEPS), dtype=np.float32)
        observations[:, min(self.steps, STEPS - 1)] = self.states
        return observations


class BoundedRegulator(gymnasium.Env):
    observation_space = Box(-np.inf, np.inf, (1,))
    action_space = Box(-2, 2, (1,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1, 1)
        return np.float32([self.state]), {}

    def step(self, action):
        reward = -(self.state**2 + float(action[0]) ** 2 / 2)
        self.state += float(action[0]) / 2
        return np.float32([self.state]), reward, False, False, {}


def bounded_gain(discount: float) -> float:
    """K of `BoundedRegulator`: the costs from s on are P s², with P by fixed-point iteration."""
    P = 0.0
    for _ in range(200):
        K = discount * P / 2 / (0.5 + discount * P / 4)
        P = 1 + K**2 / 2 + discount * (1 - K / 2) ** 2 * P
    return K


def optimal_gains() -> list[float]:
    """K_t of each step, backwards by the Riccati equation of s' = s + a + w with the costs s'² + a²."""
    gains, cost_to_go = [], 0.0
    for _ in range(STEPS):
        of_next = 1 + cost_to_go
        gains.append(of_next / (1 + of_next))
        cost_to_go = of_next - of_next**2 / (1 + of_next)
    return gains[::-1]


gymnasium.register("Regulator-v0", Regulator, max_episode_steps=STEPS + 1, disable_env_checker=True)
gymnasium.register("BoundedRegulator-v0", BoundedRegulator, max_episode_steps=2, disable_env_checker=True)
