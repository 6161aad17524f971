"""Random streams. All random numbers are determined by (seed, purpose, update).

A checkpoint needs no generator state: the seed and the index of the update reproduce the same numbers. NumPy's
`SeedSequence` makes the streams of different seeds, purposes and updates independent. A seed is any non-negative
integer.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """The purpose of a random stream. The values determine the random numbers of runs, and must not be changed."""

    POLICY_PARAMETERS = 0
    BASELINE_PARAMETERS = 1
    ENVIRONMENT = 2
    ACTIONS = 3
    DROPOUT = 4
    EMULATORS = 5
    EVALUATION = 6
    MINIBATCHES = 7
    CRITIC_PARAMETERS = 8
    SECOND_CRITIC_PARAMETERS = 9
    REPLAY = 10


def seed_sequence(seed: int, purpose: Purpose, index: int = 0) -> np.random.SeedSequence:
    """The seed sequence of one stream. For most purposes, the index is that of the update.

    `SeedSequence` splits integers into 32-bit words without marking their ends. The lowest 32 bits of the seed are
    therefore exactly one word of the entropy, and higher bits become the spawn key, which cannot collide with entropy.
    """
    high, low = divmod(seed, 2**32)
    return np.random.SeedSequence((low, purpose, index), spawn_key=(high,) if high else ())


def stream_words(seed: int) -> list[int]:
    """The 32-bit words that `seed_sequence` mixes, for compiled loops; purpose and index are words 1 and 2."""
    high, low = divmod(seed, 2**32)
    words = [low, 0, 0]
    if high:
        words.append(0)  # entropy is padded to 4 words where a spawn key follows
    while high:
        high, word = divmod(high, 2**32)
        words.append(word)
    return words


def numpy_stream(seed: int, purpose: Purpose, update: int) -> np.random.Generator:
    """A NumPy generator for a stream (SFC64, the fastest bit generator according to NumPy's documentation)."""
    return np.random.Generator(np.random.SFC64(seed_sequence(seed, purpose, update)))


def torch_stream(seed: int, purpose: Purpose) -> torch.Generator:
    """A torch generator for a stream, on the CPU so that parameters are equal on all devices."""
    word = seed_sequence(seed, purpose).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word) >> 1)


def emulator_seeds(seed: int, count: int) -> list[int]:
    """A 31-bit seed for each emulator of a learner, used for the whole run."""
    words = seed_sequence(seed, Purpose.EMULATORS).generate_state(count, np.uint32)
    return [int(word) >> 1 for word in words]


def episode_seeds(seed: int, update: int, episodes: int) -> list[int]:
    """An environment seed for each episode of a batch."""
    words = seed_sequence(seed, Purpose.ENVIRONMENT, update).generate_state(episodes, np.uint32)
    return [int(word) for word in words]


def evaluation_seed(seed: int) -> int:
    """The seed for evaluating the policy of a seed. It has 64 bits, so that streams differ from those of training."""
    return int(seed_sequence(seed, Purpose.EVALUATION).generate_state(1, np.uint64)[0])
