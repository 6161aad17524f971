"""Random numbers of the gradient steps of an update, drawn by a compiled loop for all learners at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg_experiments.policy.normal_noise import HELPERS as NORMAL
from pg_experiments.policy.normal_noise import normal_number
from pg_experiments.tensors import compiled_random as random
from pg_experiments.tensors.compiled import compiled
from pg_experiments.tensors.streams import Purpose, stream_words

seed_sfc64, next_sfc64, fill_uniform = random.seed_sfc64, random.next_sfc64, random.fill_uniform
LOW, THIRTY_TWO = random.LOW, random.THIRTY_TWO
OF_REPLAY = np.uint64(Purpose.REPLAY)


class Draw(NamedTuple):
    """The random numbers of a gradient step."""

    places: Tensor  # [R, N] int64: places of the transitions in the buffer
    noise: Tensor  # [2, R, N, numbers] normal, for the actions in the states and in the next states


class Draws:
    """Draws the numbers of one gradient step of an update after another, from the stream of each learner's seed."""

    def __init__(self, seeds: Sequence[int], update: int) -> None:
        words = [stream_words(seed) for seed in seeds]
        self._states = np.zeros((len(seeds), 4), dtype=np.uint64)
        entropy = np.zeros((len(seeds), max(map(len, words))), dtype=np.uint64)
        for row, each in zip(entropy, words, strict=True):
            row[: len(each)] = each
        entropy[:, 1], entropy[:, 2] = OF_REPLAY, update
        _seed(entropy, np.array([len(each) for each in words]), self._states)

    def draw(self, sizes: Sequence[int], count: int, numbers: int) -> Draw:
        """Draws for a gradient step.

        Args:
            sizes: [R] number of transitions of each learner, below 2³².
            count: N, number of transitions to sample, with replacement.
            numbers: of the noise of an action.
        """
        places = np.empty((len(sizes), count), dtype=np.int64)
        noise = np.empty((2, len(sizes), count, numbers), dtype=np.float32)
        _draw(self._states, np.array(sizes), places, noise)
        return Draw(torch.from_numpy(places), torch.from_numpy(noise))


@compiled("uint64[:, ::1]", "int64[::1]", "uint64[:, ::1]", helpers=random.HELPERS)
def _seed(entropy, words, states):  # type: ignore[no-untyped-def]
    """Fills states [R, 4] with those of the streams of `words` [R] words of entropy."""
    pool = np.empty(4, dtype=np.uint64)
    for r in range(len(states)):
        seed_sfc64(entropy[r], words[r], pool, states[r])


@compiled(
    *("uint64[:, ::1]", "int64[::1]", "int64[:, ::1]", "float32[:, :, :, ::1]"),
    helpers=(*random.HELPERS, *NORMAL),
)
def _draw(states, sizes, places, noise):  # type: ignore[no-untyped-def]
    """Fills places [R, N] and noise [2, R, N, A], and moves the states on.

    A place is ⌊size · x / 2³²⌋ for 32 random bits x, so probabilities differ by at most a factor of 1 ± size / 2³².
    """
    N, A = noise.shape[2:]
    uniform = np.empty(2 * N * A, dtype=np.float32)
    for r in range(len(sizes)):
        size = np.uint64(sizes[r])
        for n in range(0, N, 2):
            bits = next_sfc64(states[r])
            places[r, n] = np.int64(((bits & LOW) * size) >> THIRTY_TWO)
            if n + 1 < N:
                places[r, n + 1] = np.int64(((bits >> THIRTY_TWO) * size) >> THIRTY_TWO)
        fill_uniform(states[r], uniform)
        for n in range(N):
            for a in range(A):
                noise[0, r, n, a] = normal_number(uniform[n * A + a])
                noise[1, r, n, a] = normal_number(uniform[(N + n) * A + a])
