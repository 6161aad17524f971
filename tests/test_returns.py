"""Returns and their standardisation: the text's example, every degenerate case, and what may change nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pg_experiments.baseline import ValueOption
from pg_experiments.normalization import NormalizedAdvantages, NormalizedReturns, standardize
from pg_experiments.returns import RewardToGo, Trajectory, discount_weights, reward_to_go, trajectory_return
from tests.conftest import rollout_of

GENERATOR = torch.Generator().manual_seed(1)


def column(*values: float) -> torch.Tensor:
    """One episode: [T, 1, 1] float64."""
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def everything(values: torch.Tensor) -> torch.Tensor:
    return torch.ones(values.shape, dtype=torch.bool)


def test_the_texts_worked_example_has_these_returns():
    rewards = column(1, 0, 0, 2)
    returns = reward_to_go(rewards, everything(rewards), 0.9)
    torch.testing.assert_close(returns.flatten(), column(2.458, 1.62, 1.8, 2).flatten())


def test_the_texts_worked_example_normalises_to_the_sample_deviation_and_not_to_what_the_text_prints():
    """The text prints [1.57, −1.13, −0.55, 0.11], which neither deviation gives; its code uses the sample one."""
    returns = column(2.458, 1.62, 1.8, 2)
    ours = NormalizedReturns("episode").of_returns(returns, everything(returns)).flatten()
    torch.testing.assert_close(ours, column(1.354, -0.969, -0.470, 0.085).flatten(), rtol=0, atol=1e-3)
    population = ((returns - returns.mean()) / returns.std(correction=0)).flatten()
    torch.testing.assert_close(population, column(1.564, -1.119, -0.543, 0.098).flatten(), rtol=0, atol=1e-3)
    printed = column(1.57, -1.13, -0.55, 0.11).flatten()
    assert (ours - printed).abs().max() > 0.1
    assert (population - printed).abs().max() > 0.005


def test_the_trajectory_return_is_the_first_reward_to_go_at_every_step():
    rewards = column(1, 0, 0, 2)
    returns = trajectory_return(rewards, everything(rewards), 0.9)
    torch.testing.assert_close(returns.flatten(), column(*[2.458] * 4).flatten())


def test_reward_to_go_equals_the_sum_written_out():
    rewards = torch.randn(7, 2, 3, dtype=torch.float64, generator=GENERATOR)
    returns = reward_to_go(rewards, everything(rewards), 0.8)
    for t in range(7):
        written_out = sum(0.8 ** (k - t) * rewards[k] for k in range(t, 7))
        torch.testing.assert_close(returns[t], written_out)


def test_only_what_is_handed_in_bootstraps_and_from_the_last_step_that_was_played():
    rewards = column(1, 1, 5)
    mask = torch.tensor([True, True, False]).view(-1, 1, 1)
    returns = reward_to_go(rewards, mask, 0.5, bootstrap=torch.tensor([[8.0]], dtype=torch.float64))
    torch.testing.assert_close(returns.flatten(), column(1 + 0.5 * (1 + 0.5 * 8), 1 + 0.5 * 8, 0).flatten())


@pytest.mark.parametrize(("make", "second"), [(reward_to_go, 1.0), (trajectory_return, 0.5)])
def test_a_return_that_ends_with_the_last_step_has_no_bootstrap_value(make, second):
    """In both columns a return ends with the second step. The next one ends in the first column alone."""
    rewards = torch.tensor([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)[:, None]
    bootstrap = torch.tensor([[8.0, 8.0]], dtype=torch.float64)
    returns = make(rewards, everything(rewards), 0.5, bootstrap, ends=rewards != 0)
    assert returns[:, 0].tolist() == [[0.5, 0.5], [second, second], [-1.0, 0.5 * 8]]


def test_an_episode_that_is_terminated_and_truncated_at_once_has_no_bootstrap_value():
    option = ValueOption(4, 1, "tanh", "torch", learning_rate=0.1, steps=1, bootstrap=True)
    ones = torch.ones(2, 1, 4)
    rollout = rollout_of(torch.randn(2, 1, 4, 3, generator=GENERATOR), ones.long(), ones, ones.bool())
    rollout = dataclasses.replace(
        rollout,
        terminated=torch.tensor([[False, False, True, True]]),
        truncated=torch.tensor([[False, True, False, True]]),
    )
    values = option.build(3, [0]).final_values(rollout)
    assert values is not None
    assert (values != 0).tolist() == [[False, True, False, False]]


def test_exact_discount_weighs_step_t_with_gamma_to_the_t_and_leaves_the_trajectory_alone():
    advantages = column(1, 1, 1)
    mask = everything(advantages)
    weighed = RewardToGo(exact_discount=True).weigh(advantages, mask, 0.9)
    torch.testing.assert_close(weighed.flatten(), column(1, 0.9, 0.81).flatten())
    assert discount_weights(mask, 0.9).shape == (3, 1, 1)
    assert RewardToGo(exact_discount=False).weigh(advantages, mask, 0.9) is advantages
    assert Trajectory(exact_discount=True).weigh(advantages, mask, 0.9) is advantages


@pytest.mark.parametrize("length", [1, 2, 500])
@pytest.mark.parametrize("value", [0.0, 1.0, 3.3, -1e6, 1e-12])
def test_constant_returns_and_one_step_episodes_standardise_to_zero(length, value):
    for dtype in (torch.float32, torch.float64):
        returns = torch.full((length, 1, 1), value, dtype=dtype)
        assert (NormalizedReturns("episode").of_returns(returns, everything(returns)) == 0).all()


def test_an_empty_batch_standardises_to_zeros():
    values = torch.full((3, 1, 2), float("nan"))
    assert (standardize(values, torch.zeros(3, 1, 2, dtype=torch.bool), (0, 2)) == 0).all()


def test_small_but_real_differences_are_not_taken_for_rounding():
    values = torch.tensor([1.0, 1.001, 1.002]).view(-1, 1, 1)
    torch.testing.assert_close(
        standardize(values, everything(values), (0,)).flatten(), torch.tensor([-1.0, 0.0, 1.0]), rtol=0, atol=2e-3
    )


def test_returns_are_normalised_per_episode_and_advantages_over_the_batch_and_seeds_never_mix():
    values = torch.randn(6, 2, 3, dtype=torch.float64, generator=GENERATOR) * 5 + 7
    mask = everything(values)
    per_episode = NormalizedReturns("episode").of_returns(values, mask)
    torch.testing.assert_close(per_episode.mean(0), torch.zeros(2, 3, dtype=torch.float64))
    torch.testing.assert_close(per_episode.std(0), torch.ones(2, 3, dtype=torch.float64))
    over_batch = NormalizedAdvantages().of_advantages(values, mask)
    torch.testing.assert_close(over_batch.mean((0, 2)), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(over_batch.transpose(1, 2).reshape(18, 2).std(0), torch.ones(2, dtype=torch.float64))
    assert over_batch.mean(0).abs().max() > 0.01, "episodes keep their differences"


@pytest.mark.parametrize("garbage", [0.0, 1e9, float("nan"), float("inf")])
def test_what_the_mask_hides_changes_no_return_and_no_normalised_one(garbage):
    rewards = torch.randn(6, 2, 3, generator=GENERATOR)
    lengths = torch.tensor([[6, 1, 3], [2, 2, 5]])
    mask = torch.arange(6).view(-1, 1, 1) < lengths
    hidden = torch.where(mask, rewards, garbage)
    clean = torch.where(mask, rewards, 0.0)
    for make in (reward_to_go, trajectory_return):
        returns = make(hidden, mask, 0.9)
        assert torch.equal(returns, make(clean, mask, 0.9))
        dirty = torch.where(mask, returns, garbage)
        assert torch.equal(
            NormalizedReturns("episode").of_returns(dirty, mask), NormalizedReturns("episode").of_returns(returns, mask)
        )
        assert torch.equal(
            NormalizedAdvantages().of_advantages(dirty, mask), NormalizedAdvantages().of_advantages(returns, mask)
        )


def test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own():
    rewards = torch.randn(9, 2, 3, generator=GENERATOR, dtype=torch.float64)
    mask = everything(rewards)
    ends = torch.zeros_like(mask)
    ends[3], ends[6] = True, True
    weighed = torch.ones_like(rewards)
    for option in (RewardToGo(exact_discount=True), Trajectory(exact_discount=False)):
        whole = option(rewards, mask, 0.9, ends=ends)
        weights = option.weigh(weighed, mask, 0.9, ends=ends)
        for part in (slice(0, 4), slice(4, 7), slice(7, 9)):
            torch.testing.assert_close(whole[part], option(rewards[part], mask[part], 0.9))
            torch.testing.assert_close(
                weights[part], option.weigh(weighed[part], mask[part], 0.9).expand(weights[part].shape)
            )
