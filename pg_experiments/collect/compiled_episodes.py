"""Collects the batches of `episodes` with one compiled loop, where environment and policy both have a compiled form."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from pg_experiments.collect.compiled_play import NOT_BEGUN, STEPS_PER_DRAW, play
from pg_experiments.collect.episodes import finals_of
from pg_experiments.env.compiled import CompilableEnvironments, CompiledForm
from pg_experiments.policy.compiled_heads import CompilableHead
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.networks import CompilableDense, DenseForm
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.streams import stream_words

FIRST_ROWS = 64  # rows that are allocated for the first batch
SLICES = 4  # per thread, as learners do not play equally long
NOTICE = "compiling the loop that plays, once on this machine: this takes some seconds"


class Parts(NamedTuple):
    """Environments, network and head that have a compiled form."""

    form: CompiledForm
    network: CompilableDense
    head: CompilableHead


def compiled_parts(environments: Any, policy: Policy, device: torch.device) -> Parts | None:
    """The parts of a compiled loop; None where a part has no compiled form, or the policy is not on the CPU."""
    form = environments.compiled_form if isinstance(environments, CompilableEnvironments) else None
    network, head = policy.network, policy.head
    if form is None or not isinstance(network, CompilableDense) or not isinstance(head, CompilableHead):
        return None
    is_float32 = next(policy.parameters()).dtype == torch.float32
    return Parts(form, network, head) if head.rule is not None and device.type == "cpu" and is_float32 else None


class Columns(NamedTuple):
    """The rows [T, R, E] that `play` fills; 0 where there is no step."""

    observations: np.ndarray  # [T, R, E, D] float32
    actions: np.ndarray  # int64
    rewards: np.ndarray  # float32
    flags: np.ndarray  # [3, T, R, E] bool
    kept: np.ndarray  # [T, R, E, U] bool

    @classmethod
    def zeros(cls, rows: int, columns: tuple[int, int], inputs: int, units: int) -> Columns:
        shape = (rows, *columns)
        return cls(
            np.zeros((*shape, inputs), dtype=np.float32),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.float32),
            np.zeros((3, *shape), dtype=np.bool_),
            np.zeros((*shape, units), dtype=np.bool_),
        )

    def twice(self) -> Columns:
        """A copy with as many rows of zeros after its own."""
        rows, *columns, inputs = self.observations.shape
        larger = Columns.zeros(2 * rows, (columns[0], columns[1]), inputs, self.kept.shape[-1])
        for ours, theirs in zip(self, larger, strict=True):
            if ours is self.flags:
                theirs[:, :rows] = ours
            else:
                theirs[:rows] = ours
        return larger


@dataclass(frozen=True)
class Games:
    """The state of the environments of R learners while a batch is played; shapes as in `play`."""

    seeds: np.ndarray
    states: np.ndarray
    steps: np.ndarray
    episodes: np.ndarray
    finals: np.ndarray

    @classmethod
    def of(cls, seeds: np.ndarray, state_size: int, inputs: int) -> Games:
        """Environments that begin their episodes with `seeds` [R, E, G]."""
        R, E, G = seeds.shape
        return cls(
            seeds,
            states=np.zeros((R, E, state_size)),
            steps=np.full((R, E), NOT_BEGUN, dtype=np.int64),
            episodes=np.zeros((R, E), dtype=np.int64),
            finals=np.zeros((R, E, G, inputs), dtype=np.float32),
        )

    @property
    def are_over(self) -> bool:
        """Whether all environments have stopped."""
        return bool((self.episodes == self.seeds.shape[2]).all())


class CompiledEpisodeCollector:
    """Collects batches of `episodes` episodes per learner: the same as `EpisodeCollector`, up to rounding.

    The random numbers are the same; outputs of the network and the logarithms of noise may be rounded differently.
    """

    def __init__(self, parts: Parts, policy: Policy, *, seeds: Sequence[int], episodes: int) -> None:
        """`parts` are those of the policy, and of environments without automatic resets."""
        self.form, self.network, self.head = parts
        self.constants = np.array(self.form.constants, dtype=np.float64)
        self.policy = policy
        self.noise_shape = policy.network.noise_shape if policy.has_noise else None
        self.seeds = list(seeds)
        self.episodes = episodes
        self._words = [stream_words(seed) for seed in seeds]
        self._rows = FIRST_ROWS  # of the last batch
        self._threads = ThreadPoolExecutor(count) if (count := _threads(len(self.seeds))) > 1 else None
        self._slices = count * SLICES if count > 1 else 1

    def prepare(self, say: Callable[[str], None]) -> None:
        """Compiles the loop, or loads it from the cache. `say` gets a line where it must be compiled."""
        play.ready(lambda: say(NOTICE))

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Runs one episode in every environment of the active learners. Arguments as in `Collector.collect`."""
        learners = torch.from_numpy(active)
        network = self.network.dense_form(learners)
        # the loop draws the seeds
        games = Games.of(
            np.zeros((len(active), self.episodes, 1), dtype=np.uint64), self.form.state_size, network.widths[0]
        )
        columns, rows = self._play(update, active, network, games)
        mask, terminated, truncated = (torch.from_numpy(flag[:rows]) for flag in columns.flags)
        kept = torch.from_numpy(columns.kept[:rows])
        return Rollout(
            learners=learners,
            observations=torch.from_numpy(columns.observations[:rows]),
            actions=torch.from_numpy(columns.actions[:rows]),
            rewards=torch.from_numpy(columns.rewards[:rows]),
            mask=mask,
            terminated=terminated,
            truncated=truncated,
            finals=finals_of(torch.from_numpy(games.finals[:, :, 0]), mask),
            dropout_masks=None if self.noise_shape is None else kept.unflatten(-1, self.noise_shape),
        )

    def state(self) -> dict[str, Any]:
        """An empty state: every batch starts with new episodes, whose seeds follow from (seed, update)."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Does nothing, as the state is empty."""

    def _play(
        self, update: int, active: np.ndarray, network: DenseForm, games: Games, *, draws_seeds: bool = True
    ) -> tuple[Columns, int]:
        """Plays all episodes. Returns what happened, and the number of rows that are used."""
        R = len(active)
        words = [self._words[i] for i in active]
        entropy = np.zeros((R, max(map(len, words))), dtype=np.uint64)
        for of_learner, each in zip(entropy, words, strict=True):
            of_learner[: len(each)] = each
        of_streams = (update, entropy, np.array([len(each) for each in words]), np.zeros((R, 2, 4), dtype=np.uint64))
        of_games = (games.seeds, games.states, games.steps, games.episodes)
        units = 0 if self.noise_shape is None else math.prod(self.noise_shape)
        columns = Columns.zeros(self._rows, (R, self.episodes), network.widths[0], units)
        rows, start = np.zeros(R, dtype=np.int64), 0
        while True:
            stop = len(columns.actions)
            self._in_threads(
                R, start, stop,
                self.form.kind, self.constants, self.form.max_episode_steps, draws_seeds, *of_games,
                *of_streams,
                *network,
                self.head.rule, self.head.is_greedy,
                *columns, games.finals, rows,
            )  # fmt: skip
            if games.are_over:
                break
            columns, start = columns.twice(), stop
        used = int(rows.max())
        self._rows = max(FIRST_ROWS, -(-used // STEPS_PER_DRAW) * STEPS_PER_DRAW)
        return columns, used

    def _in_threads(self, learners: int, *arguments: Any) -> None:
        """Calls `play` for all learners: slices of them on the threads."""
        loop = play.ready()
        if self._threads is None:
            loop(0, learners, *arguments)
            return
        bounds = np.linspace(0, learners, min(learners, self._slices) + 1).astype(int).tolist()
        jobs = [self._threads.submit(loop, first, last, *arguments) for first, last in pairwise(bounds)]
        for job in jobs:
            job.result()


def _threads(learners: int) -> int:
    """Threads to play on: as many as torch uses and the process may, and not more than learners."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(learners, torch.get_num_threads(), available)
