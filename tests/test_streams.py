"""Random streams: independent of each other for every seed, and the same numbers in every version."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from pg_experiments.tensors.streams import (
    Purpose,
    emulator_seeds,
    episode_seeds,
    evaluation_seed,
    numpy_stream,
    seed_sequence,
    torch_stream,
)

WORDS = {
    (0, 3, 0): [0x9BBF90E3, 0x5B597A6E, 0xAB32DD2B, 0x13CD1AFF],
    (7, 4, 123456): [0xA8DB234D, 0xEDCA22BD, 0x4B80FDBB, 0xF3B164EA],
    (41, 2, 2**40 + 5): [0x3DF15921, 0xD17D9C16, 0x3DCBEE0C, 0xB1E18CCC],
    (2**32 - 1, 5, 2**32 - 1): [0xC47AC01C, 0x80F0D7B5, 0xF881460A, 0xAC16E74E],
}


@pytest.mark.parametrize(("stream", "words"), WORDS.items())
def test_streams_of_seeds_below_2_to_the_32_have_the_numbers_of_version_0_1(stream, words):
    seed, purpose, index = stream
    assert seed_sequence(seed, Purpose(purpose), index).generate_state(4).tolist() == words


def test_what_is_drawn_from_the_streams_is_what_version_0_1_drew():
    assert episode_seeds(3, 2, 3) == [4279062613, 3136746729, 1050268218]
    assert emulator_seeds(3, 2) == [1873002354, 1139907919]
    parameters = torch.rand(2, generator=torch_stream(3, Purpose.POLICY_PARAMETERS))
    assert parameters.tolist() == [0.35117119550704956, 0.3710234761238098]
    assert numpy_stream(3, Purpose.ACTIONS, 1).random(2).tolist() == [0.22174171313066915, 0.6156043318474175]


def test_no_two_seeds_purposes_and_indices_share_a_stream_however_large_the_seed():
    """With 128 bits each, the probability of any chance collision is below 1e-29."""
    words = (0, 1, 2, 3, 6, 2**32 - 1)
    seeds = {low + 2**32 * middle + 2**64 * high for low, middle, high in product(words, repeat=3)}
    seeds |= {evaluation_seed(seed) for seed in range(20)}
    indices = (*range(8), 2**32 - 1, 2**32, 2**32 + 1, 2**33)
    streams = list(product(seeds, Purpose, indices))
    states = {seed_sequence(*stream).generate_state(4).tobytes() for stream in streams}
    assert len(states) == len(streams) > 19_000


def test_the_seed_of_an_evaluation_is_none_that_anyone_trains_with():
    """Of 64 bits: that one of 1,000 is below 2³² has a probability of 2e-7."""
    found = {evaluation_seed(seed) for seed in range(1000)}
    assert len(found) == 1000
    assert all(2**32 <= seed < 2**64 for seed in found)
