"""Where every random number comes from: (seed, purpose, update), and nothing else.

A run needs no hidden generator state: the seed and the index of the update are enough to draw the same numbers
again. NumPy's `SeedSequence` makes the streams of different seeds, purposes and updates independent. A seed is any
integer from 0.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What a stream of random numbers is used for. The numbers are part of every run: never renumber them."""

    POLICY_PARAMETERS = 0
    BASELINE_PARAMETERS = 1
    ENVIRONMENT = 2
    ACTIONS = 3
    DROPOUT = 4
    EMULATORS = 5
    EVALUATION = 6


def seed_sequence(seed: int, purpose: Purpose, index: int = 0) -> np.random.SeedSequence:
    """The root of one stream; the index is that of the update, for most purposes.

    `SeedSequence` splits integers into words of 32 bits without marking where one ends. So the seed gives exactly one
    word of the entropy, and what is above its lowest 32 bits becomes the spawn key, which cannot be taken for entropy.
    """
    high, low = divmod(seed, 2**32)
    return np.random.SeedSequence((low, purpose, index), spawn_key=(high,) if high else ())


def numpy_stream(seed: int, purpose: Purpose, update: int) -> np.random.Generator:
    """A NumPy generator on that stream (SFC64: the fastest of NumPy's, see its documentation)."""
    return np.random.Generator(np.random.SFC64(seed_sequence(seed, purpose, update)))


def torch_stream(seed: int, purpose: Purpose) -> torch.Generator:
    """A torch generator (on the CPU, so that parameters are the same on every device)."""
    word = seed_sequence(seed, purpose).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word) >> 1)


def emulator_seeds(seed: int, count: int) -> list[int]:
    """One seed, of 31 bits, for each emulator that a learner plays on from its first episode to its last."""
    words = seed_sequence(seed, Purpose.EMULATORS).generate_state(count, np.uint32)
    return [int(word) >> 1 for word in words]


def episode_seeds(seed: int, update: int, episodes: int) -> list[int]:
    """One environment seed for each episode of a batch."""
    words = seed_sequence(seed, Purpose.ENVIRONMENT, update).generate_state(episodes, np.uint32)
    return [int(word) for word in words]


def evaluation_seed(seed: int) -> int:
    """What stands in for a seed where its policy is evaluated: 64 bits, so that no stream is one of the training's."""
    return int(seed_sequence(seed, Purpose.EVALUATION).generate_state(1, np.uint64)[0])
