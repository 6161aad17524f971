"""Sums over what was played, and standardising: over which axes, by which deviation, and what is not hidden."""

from __future__ import annotations

import math

import pytest
import torch

from pg_experiments.normalization import Normalization, standardize
from pg_experiments.tensors.masked import masked_mean, masked_sum

NAN = math.nan
# [T = 2, R = 2, E = 2]; the second seed's first episode has one step
VALUES = torch.tensor([[[1.0, 3.0], [10.0, 30.0]], [[5.0, 7.0], [NAN, 50.0]]])
MASK = ~VALUES.isnan()


def test_sums_and_means_are_over_what_was_played_and_nothing_has_a_mean_of_zero():
    assert masked_sum(VALUES, MASK, (0, 2)).flatten().tolist() == [16, 90]
    assert masked_mean(VALUES, MASK, (0, 2)).flatten().tolist() == [4, 30]
    assert masked_mean(VALUES, MASK, (0,)).tolist() == [[[3, 5], [10, 40]]]
    assert masked_mean(VALUES, torch.zeros_like(MASK), (0, 2)).flatten().tolist() == [0, 0]


def test_sums_lose_nothing_beside_a_large_number():
    """In float32, 1e8 + 1 is 1e8."""
    values = torch.cat([torch.full((1,), 1e8), torch.ones(100)]).view(-1, 1, 1)
    assert masked_sum(values, torch.ones_like(values, dtype=torch.bool), (0, 2)).item() == 1e8 + 100


def test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other():
    first = torch.tensor([1.0, 3.0, 5.0, 7.0])
    expected = torch.stack([(first - 4) / first.std(), torch.tensor([-1.0, 0.0, 0.0, 1.0])]).view(2, 2, 2)
    for normalised in (
        Normalization(returns="batch").of_returns(VALUES, MASK),
        Normalization(advantages="batch").of_advantages(VALUES, MASK),
    ):
        torch.testing.assert_close(normalised.transpose(0, 1), expected)


def test_values_without_padding_need_no_mask_and_have_the_same_bits():
    values = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    values[1] = 2.0
    everywhere = torch.ones_like(values, dtype=torch.bool)
    for function in (masked_sum, masked_mean, standardize):
        assert torch.equal(function(values, None, (1,)), function(values, everywhere, (1,)))


def test_returns_of_an_episode_are_standardised_over_its_own_steps():
    half = 0.5**0.5
    normalised = Normalization(returns="episode").of_returns(VALUES, MASK)
    torch.testing.assert_close(normalised[0], torch.tensor([[-half, -half], [0.0, -half]]))
    torch.testing.assert_close(normalised[1], torch.tensor([[half, half], [0.0, half]]))
    assert Normalization(returns="episode").of_advantages(VALUES, MASK) is VALUES
    assert Normalization(advantages="batch").of_returns(VALUES, MASK) is VALUES


@pytest.mark.parametrize("poison", [NAN, math.inf])
def test_a_value_that_is_not_finite_makes_nan_of_its_own_group_and_hides_nothing(poison):
    values = VALUES.clone()
    values[0, 0, 0] = poison
    of_batch = standardize(values, MASK, (0, 2))
    assert of_batch[:, 0].isnan().all()
    assert of_batch[:, 1].isfinite().all()


def test_equal_values_at_any_size_are_no_signal_and_the_smallest_that_differ_are():
    for size in (1e-10, 1.0, 1e10):
        equal = torch.full((7, 1, 1), size) * (1 + 1e-7 * torch.tensor([0, 1, 0, 1, 0, 1, 0]).view(-1, 1, 1))
        mask = torch.ones_like(equal, dtype=torch.bool)
        assert not standardize(equal, mask, (0,)).any()
        differing = torch.linspace(1, 1 + 1e-4, 7).view(-1, 1, 1) * size
        assert float(standardize(differing, mask, (0,)).std()) == pytest.approx(1, rel=0.01)
