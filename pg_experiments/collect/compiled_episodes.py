"""Collects the batches of `episodes` with one compiled loop, where environment and policy both have a compiled form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pg_experiments.collect.compiled_play import STEPS_PER_DRAW
from pg_experiments.collect.compiled_player import Columns, Games, Parts, Player
from pg_experiments.collect.episodes import finals_of
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import Sequences, sequence_steps

FIRST_ROWS = 64  # rows that are allocated for the first batch


class CompiledEpisodeCollector:
    """Collects batches of `episodes` episodes per learner: the same as `EpisodeCollector`, up to rounding.

    The random numbers are the same; outputs of the network and the logarithms of noise may be rounded differently.
    """

    def __init__(self, parts: Parts, policy: Policy, *, seeds: Sequence[int], episodes: int) -> None:
        """`parts` are those of the policy, and of environments without automatic resets."""
        self.player = Player(parts, policy, seeds)
        self.episodes = episodes
        self._rows = FIRST_ROWS  # of the last batch

    def prepare(self, say: Callable[[str], None]) -> None:
        """Compiles the loop, or loads it from the cache. `say` gets a line where it must be compiled."""
        self.player.prepare(say)

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Runs one episode in every environment of the active learners. Arguments as in `Collector.collect`."""
        games = self.player.games(np.full((len(active), self.episodes), update, dtype=np.int64), 1)
        columns, rows = self._play(update, active, games)
        mask, terminated, truncated = (torch.from_numpy(flag[:rows]) for flag in columns.flags)
        observations = torch.from_numpy(columns.observations[:rows])
        finals, memories = (torch.from_numpy(x[:, :, 0]) for x in (games.finals, games.final_memories))
        is_recurrent = self.player.memory_size > 0  # its state is 0 in the first row
        return Rollout(
            learners=torch.from_numpy(active),
            observations=sequence_steps(observations, torch.zeros_like(memories), None)
            if is_recurrent
            else observations,
            actions=columns.chosen(rows),
            rewards=torch.from_numpy(columns.rewards[:rows]),
            mask=mask,
            terminated=terminated,
            truncated=truncated,
            finals=finals_of(Sequences(finals, memories) if is_recurrent else finals, mask),
            dropout_masks=columns.dropout_masks(rows, self.player.noise_shape),
        )

    def state(self) -> dict[str, Any]:
        """An empty state: every batch starts with new episodes, whose seeds follow from (seed, update)."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Does nothing, as the state is empty."""

    def _play(self, update: int, active: np.ndarray, games: Games) -> tuple[Columns, int]:
        """Plays all episodes. Returns what happened, and the number of rows that are used."""
        batch = self.player.batch(update, active, games)
        columns = self.player.columns(self._rows, games)
        start = 0
        while True:
            stop = len(columns.actions)
            self.player.play(batch, columns, start, stop)
            if games.are_over:
                break
            columns, start = columns.twice(), stop
        used = int(batch.rows.max())
        self._rows = max(FIRST_ROWS, -(-used // STEPS_PER_DRAW) * STEPS_PER_DRAW)
        return columns, used
