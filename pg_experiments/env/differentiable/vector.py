"""Many differentiable systems as one vector environment, for arrays and for tensors with a graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from pg_experiments.env.differentiable.system import System
from pg_experiments.env.vector import Reset, StartsAnew, Step


class Played(NamedTuple):
    """One step of N systems."""

    rewards: Tensor  # [N] with their graph; 0 where the episode had ended
    terminated: np.ndarray  # [N] bool
    truncated: np.ndarray  # [N] bool


class DifferentiableVectorEnv(StartsAnew, VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """N systems, which are not stepped after their episodes until they are reset.

    `step` takes and returns arrays, as Gymnasium does. `play` is the same step of tensors, and keeps its graph in the
    states if gradients are enabled. Either way all N systems are computed, so that no result depends on which are held.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, system: System, num_envs: int) -> None:
        self.system = system
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = system.observation_space, system.action_space
        self.observation_space = batch_space(system.observation_space, num_envs)
        self.action_space = batch_space(system.action_space, num_envs)
        self.states = system.initial(torch.zeros(num_envs, system.numbers))  # [N, S]
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._finished = np.ones(num_envs, dtype=np.bool_)

    def resume_note(self, state: Any) -> str:
        """Empty, as resuming is exact."""
        return ""

    @property
    def observations(self) -> Tensor:
        """[N, D], with the graph of the states."""
        return self.system.observe(self.states)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Reset:
        chosen = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        uniform = np.zeros((self.num_envs, self.system.numbers), dtype=np.float32)
        for index in np.flatnonzero(chosen):
            uniform[index] = initial_numbers(self.system, None if seed is None else seed[index])
        first = self.system.initial(torch.from_numpy(uniform).to(self.states))
        self.states = torch.where(torch.from_numpy(chosen)[:, None], first, self.states)
        self._steps[chosen], self._finished[chosen] = 0, False
        return self.observations.numpy(force=True), {}

    def hold(self, envs: np.ndarray) -> None:
        """Pauses the environments where the mask [N] is True, until they are reset."""
        self._finished = self._finished | envs

    @torch.no_grad()
    def step(self, actions: np.ndarray) -> Step:
        rewards, terminated, truncated = self.play(torch.from_numpy(actions))
        return self.observations.numpy(), rewards.numpy(), terminated, truncated, {}

    def play(self, actions: Tensor) -> Played:
        """Moves all systems whose episodes have not ended by one step; `actions` are [N, A]."""
        moves = ~self._finished
        is_moved = torch.from_numpy(moves)
        states, rewards = self.system.step(self.states, actions)
        self.states = torch.where(is_moved[:, None], states, self.states)
        self._steps += moves
        over = moves & (self._steps >= self.system.horizon)
        self._finished = self._finished | over
        not_over = np.zeros_like(over)
        ends = (over, not_over) if self.system.terminates else (not_over, over)
        return Played(torch.where(is_moved, rewards, 0.0), *ends)

    def detach(self) -> None:
        """Forgets the graph of the states."""
        self.states = self.states.detach()


def initial_numbers(system: System, seed: int | None) -> np.ndarray:
    """[U] float32: the uniform numbers of an initial state, which the seed of an episode determines."""
    generator, _ = gymnasium.utils.seeding.np_random(seed)
    return generator.random(system.numbers, dtype=np.float32)
