"""Mini-batches of a replay buffer are uniform, with normal noise, from the stream of each learner's seed."""

from __future__ import annotations

import math

import torch

from pg_experiments.algorithm.sampling import Draws
from pg_experiments.tensors.streams import Purpose, numpy_stream

N = 40_000


def distance(numbers: torch.Tensor, distribution: torch.Tensor) -> float:
    """That of Kolmogorov and Smirnov between sorted numbers and their values of a distribution function."""
    return float((distribution - torch.arange(1, len(numbers) + 1) / len(numbers)).abs().max())


def test_places_are_uniform_and_noise_is_normal():
    """Tests of Kolmogorov and Smirnov, and of correlations, at a level of 1e-4 each, with fixed seeds."""
    places, noise = Draws([3, 4], 5).draw([1000, 7], N, 1)
    for of_learner, size in zip(places, (1000, 7), strict=True):
        counts = torch.bincount(of_learner, minlength=size).double()
        assert len(counts) == size
        chi_square = float((counts - N / size).square().sum() / (N / size))
        assert chi_square < size - 1 + 3.72 * math.sqrt(2 * (size - 1)) + 10
    for numbers in noise.flatten(0, 1).squeeze(-1).double():
        ordered = numbers.sort().values
        assert distance(ordered, torch.special.ndtr(ordered)) < 2.23 / math.sqrt(N)
    every = torch.cat([noise.flatten(0, 1).squeeze(-1), places.float()]).double()
    correlations = torch.corrcoef(every) - torch.eye(len(every))
    assert correlations.abs().max() < 3.89 * math.sqrt(1 / N) * 1.3  # of the largest of 15


def test_a_learners_numbers_depend_on_its_seed_and_the_update_alone():
    together, alone, later = Draws([1, 2**40 + 3], 7), Draws([2**40 + 3], 7), Draws([2**40 + 3], 8)
    for _ in range(2):
        ours = together.draw([50, 60], 9, 2)
        places, noise = alone.draw([60], 9, 2)
        assert torch.equal(ours.places[1], places[0])
        assert torch.equal(ours.noise[:, 1], noise[:, 0])
        assert not torch.equal(ours.noise[:, 0], noise[:, 0])
        assert not torch.equal(later.draw([60], 9, 2).noise, noise)


def test_the_first_places_are_the_bits_of_the_stream_of_the_purpose():
    seed, update, size = 2**33 + 1, 12, 1000
    bits = numpy_stream(seed, Purpose.REPLAY, update).bit_generator.random_raw(2).tolist()
    expected = [(half * size) >> 32 for word in bits for half in (word & 0xFFFFFFFF, word >> 32)]
    assert Draws([seed], update).draw([size], 4, 1).places.tolist() == [expected]
