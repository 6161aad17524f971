"""A player: the compiled loop of `compiled_play` for some learners, on several threads."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from pg_experiments.collect.compiled_play import NOT_BEGUN, play
from pg_experiments.env.compiled import CompilableEnvironments, CompiledForm
from pg_experiments.policy.compiled_heads import CompilableHead, Exploring
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.networks import CompilableDense, DenseForm, as_compilable, state_size_of
from pg_experiments.tensors.streams import stream_words

FEW = 256  # steps of all learners that are not worth a second thread
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
    network, head = as_compilable(policy.network), policy.head
    if form is None or network is None or not isinstance(head, CompilableHead):
        return None
    is_float32 = next(policy.parameters()).dtype == torch.float32
    return Parts(form, network, head) if head.rule is not None and device.type == "cpu" and is_float32 else None


class Columns(NamedTuple):
    """The rows [T, R, E] that `play` fills; 0 where there is no step."""

    observations: np.ndarray  # [T, R, E, D] float32
    actions: np.ndarray  # int64, for discrete actions
    vectors: np.ndarray  # [T, R, E, A] float32, for continuous actions; A is 0 otherwise
    rewards: np.ndarray  # float32
    flags: np.ndarray  # [3, T, R, E] bool
    kept: np.ndarray  # [T, R, E, U] bool

    @classmethod
    def zeros(cls, rows: int, columns: tuple[int, ...], inputs: int, units: int, numbers: int) -> Columns:
        shape = (rows, *columns)
        return cls(
            np.zeros((*shape, inputs), dtype=np.float32),
            np.zeros(shape, dtype=np.int64),
            np.zeros((*shape, numbers), dtype=np.float32),
            np.zeros(shape, dtype=np.float32),
            np.zeros((3, *shape), dtype=np.bool_),
            np.zeros((*shape, units), dtype=np.bool_),
        )

    def dropout_masks(self, rows: int, noise_shape: tuple[int, ...] | None) -> torch.Tensor | None:
        """The masks of the first rows, [rows, R, E, *noise_shape]; None without dropout."""
        return None if noise_shape is None else torch.from_numpy(self.kept[:rows]).unflatten(-1, noise_shape)

    def chosen(self, rows: int) -> torch.Tensor:
        """The actions of the first rows, [rows, R, E, *action_shape]."""
        return torch.from_numpy((self.vectors if self.vectors.shape[-1] else self.actions)[:rows])

    def twice(self) -> Columns:
        """A copy with as many rows of zeros after its own."""
        rows, *columns, inputs = self.observations.shape
        larger = Columns.zeros(2 * rows, tuple(columns), inputs, self.kept.shape[-1], self.vectors.shape[-1])
        for ours, theirs in zip(self, larger, strict=True):
            if ours is self.flags:
                theirs[:, :rows] = ours
            else:
                theirs[:rows] = ours
        return larger


@dataclass(frozen=True)
class Games:
    """The environments of R learners while a batch is played; shapes as in `play`."""

    numbers: np.ndarray
    states: np.ndarray
    memories: np.ndarray
    steps: np.ndarray
    scores: np.ndarray
    episodes: np.ndarray
    finals: np.ndarray
    final_memories: np.ndarray
    results: np.ndarray

    @classmethod
    def new(cls, numbers: np.ndarray, most: int, state_size: int, memory_size: int, inputs: int) -> Games:
        """Environments that begin with the episodes of these numbers [R, E], and finish at most `most` in a batch."""
        R, E = numbers.shape
        return cls(
            numbers,
            states=np.zeros((R, E, state_size)),
            memories=np.zeros((R, E, memory_size), dtype=np.float32),
            steps=np.full((R, E), NOT_BEGUN, dtype=np.int64),
            scores=np.zeros((R, E)),
            episodes=np.zeros((R, E), dtype=np.int64),
            finals=np.zeros((R, E, most, inputs), dtype=np.float32),
            final_memories=np.zeros((R, E, most, memory_size), dtype=np.float32),
            results=np.zeros((R, E, most, 3)),
        )

    @property
    def are_over(self) -> bool:
        """Whether all environments have stopped."""
        return bool((self.episodes == self.finals.shape[2]).all())


class Player:
    """Plays the environments of some of the learners."""

    def __init__(self, parts: Parts, policy: Policy, seeds: Sequence[int]) -> None:
        """`parts` are those of the policy, and of environments without automatic resets."""
        self.form, self.network, self.head = parts
        self.memory_size = state_size_of(policy.network)
        self.constants = np.array(self.form.constants, dtype=np.float64)
        self.noise_shape = policy.network.noise_shape if policy.has_noise else None
        self.units = 0 if self.noise_shape is None else math.prod(self.noise_shape)
        self._words = [stream_words(seed) for seed in seeds]
        self._threads = ThreadPoolExecutor(count) if (count := _threads(len(seeds))) > 1 else None
        self._slices = count * SLICES if count > 1 else 1

    def games(self, numbers: np.ndarray, most: int) -> Games:
        """Environments as `Games.new` makes them."""
        return Games.new(numbers, most, self.form.state_size, self.memory_size, self.network.inputs)

    def columns(self, rows: int, games: Games) -> Columns:
        """Empty rows of these environments."""
        return Columns.zeros(rows, games.steps.shape, self.network.inputs, self.units, self.head.bounds.shape[1])

    @property
    def hold(self) -> int:
        """The number of steps for which a uniformly distributed action is kept; 0 for actions of the policy."""
        return self.head.hold if isinstance(self.head, Exploring) and self.head.is_random else 0

    def prepare(self, say: Callable[[str], None]) -> None:
        """Compiles the loop, or loads it from the cache. `say` gets a line where it must be compiled."""
        play.ready(lambda: say(NOTICE))

    def batch(self, update: int, active: np.ndarray, games: Games) -> Batch:
        """A batch of the learners with indices [R], of which no row has been played."""
        words = [self._words[i] for i in active]
        entropy = np.zeros((len(active), max(map(len, words))), dtype=np.uint64)
        for of_learner, each in zip(entropy, words, strict=True):
            of_learner[: len(each)] = each
        counts, streams = np.array([len(each) for each in words]), np.zeros((len(active), 2, 4), dtype=np.uint64)
        network = self.network.dense_form(torch.from_numpy(active))
        return Batch(update, entropy, counts, streams, network, games, np.zeros(len(active), dtype=np.int64))

    def play(self, batch: Batch, columns: Columns, start: int, stop: int) -> None:
        """Plays the rows from `start` to before `stop`: slices of the learners on the threads."""
        games, R = batch.games, len(batch.rows)
        arguments = (
            start, stop,
            self.form.kind, self.constants, self.form.max_episode_steps,
            games.numbers, games.states, games.memories, games.steps, games.scores, games.episodes,
            batch.update, batch.entropy, batch.words, batch.streams,
            *batch.network,
            self.hold, self.head.rule, self.head.is_greedy, self.head.is_continuous, self.head.limits, self.head.bounds,
            *columns, games.finals, games.final_memories, games.results, batch.rows,
        )  # fmt: skip
        loop = play.ready()
        if self._threads is None or columns.rewards[start:stop].size < FEW:
            loop(0, R, *arguments)
            return
        bounds = np.linspace(0, R, min(R, self._slices) + 1).astype(int).tolist()
        jobs = [self._threads.submit(loop, first, last, *arguments) for first, last in pairwise(bounds)]
        for job in jobs:
            job.result()


class Batch(NamedTuple):
    """What a batch is played with; shapes as in `play`."""

    update: int
    entropy: np.ndarray
    words: np.ndarray
    streams: np.ndarray
    network: DenseForm
    games: Games
    rows: np.ndarray


def _threads(learners: int) -> int:
    """Threads to play on: as many as torch uses and the process may, and not more than learners."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(learners, torch.get_num_threads(), available)
