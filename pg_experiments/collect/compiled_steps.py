"""Collects the fragments of `steps` with one compiled loop, where environment and policy both have a compiled form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pg_experiments.collect.compiled_player import Columns, Games, Parts, Player
from pg_experiments.collect.steps import finals_of
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import Episodes, Finals, Rollout
from pg_experiments.tensors.sequences import sequence_steps

KEPT = ("numbers", "states", "memories", "steps", "scores")  # of the environments, across batches


class CompiledStepsCollector:
    """Collects `num_steps` steps of `num_envs` environments per learner: as `StepsCollector`, up to rounding."""

    def __init__(self, parts: Parts, policy: Policy, *, seeds: Sequence[int], num_envs: int, num_steps: int) -> None:
        """`parts` are those of the policy, and of environments without automatic resets."""
        self.player = Player(parts, policy, seeds)
        self.num_envs, self.num_steps = num_envs, num_steps
        self.games = self._games(np.zeros((len(seeds), num_envs), dtype=np.int64))  # of all learners

    def prepare(self, say: Callable[[str], None]) -> None:
        """Compiles the loop, or loads it from the cache. `say` gets a line where it must be compiled."""
        self.player.prepare(say)

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Plays a fragment in every environment of the active learners. Arguments as in `Collector.collect`."""
        games = self._games(self.games.numbers[active])
        for name in KEPT:
            getattr(games, name)[:] = getattr(self.games, name)[active]
        player = self.player
        memories = torch.from_numpy(games.memories.copy())  # before the first row
        columns = player.columns(self.num_steps, games)
        player.play(player.batch(update, active, games), columns, 0, self.num_steps)
        for name in KEPT:
            getattr(self.games, name)[active] = getattr(games, name)
        observations = torch.from_numpy(columns.observations)
        mask, terminated, truncated = map(torch.from_numpy, columns.flags)
        return Rollout(
            learners=torch.from_numpy(active),
            observations=sequence_steps(observations, memories, terminated | truncated)
            if player.memory_size
            else observations,
            actions=columns.chosen(self.num_steps),
            rewards=torch.from_numpy(columns.rewards),
            mask=mask,
            terminated=terminated,
            truncated=truncated,
            finals=_finals(columns, games),
            dropout_masks=columns.dropout_masks(self.num_steps, player.noise_shape),
            games=_finished(games),
            full=True,
        )

    def state(self) -> dict[str, Any]:
        """The states of all environments."""
        arrays = {name: getattr(self.games, name) for name in KEPT}
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items() if array.size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state. Raises UserError for that of a run that played through Gymnasium."""
        if "states" not in state:
            raise UserError("the checkpoint is of environments that were played through Gymnasium, on another device")
        for name in KEPT:
            if getattr(self.games, name).size:
                getattr(self.games, name)[:] = state[name].numpy()

    def _games(self, numbers: np.ndarray) -> Games:
        """Environments with room for as many episodes as a fragment can finish, and the one that continues."""
        return self.player.games(numbers, self.num_steps + 1)


def _finals(columns: Columns, games: Games) -> Finals:
    """The observations with which the data is cut, as in `steps.finals_of`."""
    _, terminated, truncated = columns.flags
    over = terminated | truncated
    is_cut = truncated.copy()
    is_cut[-1] |= ~over[-1]
    t, r, e = np.nonzero(is_cut)
    places = (r, e, over.cumsum(0)[t, r, e] - over[t, r, e])
    states = games.final_memories[places] if games.memories.size else None
    return finals_of(is_cut, games.finals[places], states, torch.device("cpu"))


def _finished(games: Games) -> list[Episodes]:
    """The finished episodes of each learner, in order of time and then of environment."""
    R, _, G, _ = games.results.shape
    r, e, g = np.nonzero(np.arange(G) < games.episodes[:, :, None])
    results = games.results[r, e, g]
    order = np.lexsort((e, results[:, 2], r))
    returns = torch.from_numpy(results[order, 0].astype(np.float32))
    lengths = torch.from_numpy(results[order, 1].astype(np.int64))
    counts = np.bincount(r, minlength=R).tolist()
    return [Episodes(*pair) for pair in zip(returns.split(counts), lengths.split(counts), strict=True)]
