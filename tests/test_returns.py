"""Returns and their standardisation: the text's example, every degenerate case, and what may change nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pg_experiments.baseline import ValueOption
from pg_experiments.normalization import Normalization, standardize
from pg_experiments.returns import RewardToGo, Trajectory
from pg_experiments.returns.recursion import discount_weights, lambda_returns
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.recursion import backward_recursion
from tests.conftest import rewarded, rollout_of, spaces

GENERATOR = torch.Generator().manual_seed(1)
TO_GO, WHOLE = RewardToGo(exact_discount=False), Trajectory(exact_discount=False)


def of(option, rewards: torch.Tensor, discount: float, mask: torch.Tensor | None = None, **changes) -> torch.Tensor:
    """The returns of an option, of terminated episodes [T, R, E] unless `changes` of the rollout say otherwise."""
    next_values = changes.pop("next_values", None)
    return option(rewarded(rewards, mask, **changes), next_values, gamma(rewards, discount))


def gamma(rewards: torch.Tensor, discount: float) -> torch.Tensor:
    """[R] the same discount for every learner."""
    return torch.full((rewards.shape[1],), discount, dtype=torch.float64)


def column(*values: float) -> torch.Tensor:
    """One episode: [T, 1, 1] float64."""
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def everything(values: torch.Tensor) -> torch.Tensor:
    return torch.ones(values.shape, dtype=torch.bool)


def test_the_texts_worked_example_has_these_returns():
    rewards = column(1, 0, 0, 2)
    returns = of(TO_GO, rewards, 0.9)
    torch.testing.assert_close(returns.flatten(), column(2.458, 1.62, 1.8, 2).flatten())


def test_the_texts_worked_example_normalises_to_the_sample_deviation_and_not_to_what_the_text_prints():
    """The text prints [1.57, −1.13, −0.55, 0.11], which neither deviation gives; its code uses the sample one."""
    returns = column(2.458, 1.62, 1.8, 2)
    ours = Normalization(returns="episode").of_returns(returns, everything(returns)).flatten()
    torch.testing.assert_close(ours, column(1.354, -0.969, -0.470, 0.085).flatten(), rtol=0, atol=1e-3)
    population = ((returns - returns.mean()) / returns.std(correction=0)).flatten()
    torch.testing.assert_close(population, column(1.564, -1.119, -0.543, 0.098).flatten(), rtol=0, atol=1e-3)
    printed = column(1.57, -1.13, -0.55, 0.11).flatten()
    assert (ours - printed).abs().max() > 0.1
    assert (population - printed).abs().max() > 0.005


def test_the_trajectory_return_is_the_first_reward_to_go_at_every_step():
    rewards = column(1, 0, 0, 2)
    returns = of(WHOLE, rewards, 0.9)
    torch.testing.assert_close(returns.flatten(), column(*[2.458] * 4).flatten())


def test_reward_to_go_equals_the_sum_written_out():
    rewards = torch.randn(7, 2, 3, dtype=torch.float64, generator=GENERATOR)
    returns = of(TO_GO, rewards, 0.8)
    for t in range(7):
        written_out = sum(0.8 ** (k - t) * rewards[k] for k in range(t, 7))
        torch.testing.assert_close(returns[t], written_out)


def test_a_truncated_episode_continues_with_the_value_of_the_state_after_its_last_step():
    rewards = column(1, 1, 5)
    mask = torch.tensor([True, True, False]).view(-1, 1, 1)
    cut = torch.tensor([False, True, False]).view(-1, 1, 1)
    values = column(3, 8, 7)
    returns = of(TO_GO, rewards, 0.5, mask, terminated=~mask & mask, truncated=cut, next_values=values)
    torch.testing.assert_close(returns.flatten(), column(1 + 0.5 * (1 + 0.5 * 8), 1 + 0.5 * 8, 0).flatten())


@pytest.mark.parametrize(("option", "second"), [(TO_GO, 1.0), (WHOLE, 0.5)])
def test_a_return_that_ends_with_the_last_step_has_no_bootstrap_value(option, second):
    """In both columns a return ends with the second step. The next one ends in the first column alone."""
    rewards = torch.tensor([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)[:, None]
    cut_off = everything(rewards) & torch.tensor([False, False, True])[:, None, None]
    changes = {"terminated": ~everything(rewards), "truncated": cut_off, "return_ends": rewards != 0}
    returns = of(option, rewards, 0.5, next_values=torch.full_like(rewards, 8.0), **changes)
    assert returns[:, 0].tolist() == [[0.5, 0.5], [second, second], [-1.0, 0.5 * 8]]


def test_the_value_of_the_next_state_counts_where_data_is_cut_off_and_never_where_an_episode_terminates():
    """Also where it is terminated and truncated at once. A column that ends in neither way is a fragment."""
    option = ValueOption(4, 1, "tanh", "torch", learning_rate=0.1, steps=1, bootstrap=True)
    ones = torch.ones(2, 1, 4)
    rollout = rollout_of(torch.randn(2, 1, 4, 3, generator=GENERATOR), ones.long(), ones, ones.bool())
    last = torch.tensor([False, True])[:, None, None]
    rollout = dataclasses.replace(
        rollout,
        terminated=last & torch.tensor([[False, False, True, True]]),
        truncated=last & torch.tensor([[False, True, False, True]]),
    )
    values = option.build(spaces(3, 2)[0], None, Learners([0]), torch.device("cpu")).final_values(rollout)
    assert values is not None
    assert (values[1] != 0).tolist() == [[True, True, False, False]]
    assert (values[0] == 0).all()


def test_a_return_that_ends_with_the_step_of_a_truncation_does_not_continue():
    rewards, last = column(0, -1), torch.tensor([False, True]).view(-1, 1, 1)
    for ends in ({"terminated": last}, {"terminated": last & ~last, "return_ends": last}):
        returns = of(TO_GO, rewards, 0.5, truncated=last, next_values=column(3, 8), **ends)
        assert returns.flatten().tolist() == [-0.5, -1]


def test_values_past_an_end_do_not_count_whatever_they_are():
    rewards = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
    ends, cuts = torch.zeros(2, 6, 4, dtype=torch.bool)
    ends[2, :2], cuts[3, 2:], ends[5, :3], cuts[5, 3] = True, True, True, True
    values = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
    for trace_decay in (0.0, 0.7, 1.0):
        clean = lambda_returns(rewards, ends, cuts, values, 0.9, trace_decay)
        dirty = lambda_returns(rewards, ends, cuts, torch.where(ends, torch.nan, values), 0.9, trace_decay)
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize("trace_decay", [0.0, 0.7, 1.0])
def test_the_recursion_equals_the_average_of_n_step_returns_written_out(trace_decay):
    """G^λ = (1 − λ) Σ_n λ^(n−1) G^(n), the last G^(n) with all the weight that is left (Sutton & Barto 2018, 12.3)."""
    T, gamma_ = 9, 0.9
    rewards, values = torch.randn(2, T, 5, generator=GENERATOR, dtype=torch.float64)
    ends, cuts = torch.rand(2, T, 5, generator=GENERATOR) < 0.2
    cuts[-1] = True
    cuts &= ~ends
    returns = lambda_returns(rewards, ends, cuts, values, gamma_, trace_decay)
    for column_ in range(5):
        for t in range(T):
            total, weight, ahead, k = 0.0, 1.0, 0.0, t
            while True:
                ahead += gamma_ ** (k - t) * float(rewards[k, column_])
                n_step = ahead + gamma_ ** (k - t + 1) * float(values[k, column_]) * (not ends[k, column_])
                if ends[k, column_] or cuts[k, column_]:
                    total += weight * n_step
                    break
                total += weight * (1 - trace_decay) * n_step
                weight, k = weight * trace_decay, k + 1
            assert float(returns[t, column_]) == pytest.approx(total)


def test_each_learner_has_a_discount_of_its_own():
    rewards = torch.randn(7, 2, 3, dtype=torch.float64, generator=GENERATOR)
    returns = TO_GO(rewarded(rewards), None, torch.tensor([0.9, 0.5]))
    for r, discount in enumerate((0.9, 0.5)):
        alone = of(TO_GO, rewards[:, r : r + 1], discount)
        torch.testing.assert_close(returns[:, r : r + 1], alone, rtol=1e-6, atol=1e-6)
    weights = RewardToGo(exact_discount=True).weigh(
        everything(rewards).float(), rewarded(rewards), torch.tensor([0.9, 0.5])
    )
    torch.testing.assert_close(weights[2], torch.tensor([[0.81] * 3, [0.25] * 3]))


def test_exact_discount_weighs_step_t_with_gamma_to_the_t_and_leaves_the_trajectory_alone():
    advantages = column(1, 1, 1)
    rollout, discount = rewarded(advantages), gamma(advantages, 0.9)
    weighed = RewardToGo(exact_discount=True).weigh(advantages, rollout, discount)
    torch.testing.assert_close(weighed.flatten(), column(1, 0.9, 0.81).flatten())
    assert discount_weights(rollout, discount).shape == (3, 1, 1)
    assert TO_GO.weigh(advantages, rollout, discount) is advantages
    assert Trajectory(exact_discount=True).weigh(advantages, rollout, discount) is advantages


@pytest.mark.parametrize("length", [1, 2, 500])
@pytest.mark.parametrize("value", [0.0, 1.0, 3.3, -1e6, 1e-12])
def test_constant_returns_and_one_step_episodes_standardise_to_zero(length, value):
    for dtype in (torch.float32, torch.float64):
        returns = torch.full((length, 1, 1), value, dtype=dtype)
        assert (Normalization(returns="episode").of_returns(returns, everything(returns)) == 0).all()


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
    per_episode = Normalization(returns="episode").of_returns(values, mask)
    torch.testing.assert_close(per_episode.mean(0), torch.zeros(2, 3, dtype=torch.float64))
    torch.testing.assert_close(per_episode.std(0), torch.ones(2, 3, dtype=torch.float64))
    over_batch = Normalization(advantages="batch").of_advantages(values, mask)
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
    for option in (TO_GO, WHOLE):
        returns = of(option, hidden, 0.9, mask)
        assert torch.equal(returns, of(option, clean, 0.9, mask))
        dirty = torch.where(mask, returns, garbage)
        assert torch.equal(
            Normalization(returns="episode").of_returns(dirty, mask),
            Normalization(returns="episode").of_returns(returns, mask),
        )
        assert torch.equal(
            Normalization(advantages="batch").of_advantages(dirty, mask),
            Normalization(advantages="batch").of_advantages(returns, mask),
        )


def test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own():
    rewards = torch.randn(9, 2, 3, generator=GENERATOR, dtype=torch.float64)
    mask = everything(rewards)
    ends = torch.zeros_like(mask)
    ends[3], ends[6] = True, True
    weighed = torch.ones_like(rewards)
    discount = gamma(rewards, 0.9)
    for option in (RewardToGo(exact_discount=True), WHOLE):
        whole = of(option, rewards, 0.9, return_ends=ends)
        weights = option.weigh(weighed, rewarded(rewards, return_ends=ends), discount)
        for part in (slice(0, 4), slice(4, 7), slice(7, 9)):
            torch.testing.assert_close(whole[part], of(option, rewards[part], 0.9))
            expected = option.weigh(weighed[part], rewarded(rewards[part]), discount)
            torch.testing.assert_close(weights[part], expected.expand(weights[part].shape))


def test_the_compiled_recursion_has_the_bits_of_torchs():
    generator = torch.Generator().manual_seed(0)
    for shape in ((1, 1), (300, 1, 2), (40, 3, 7), (20, 64)):
        constants = torch.randn(shape, generator=generator)
        weights = torch.rand(shape, generator=generator)
        running, expected = torch.zeros(shape[1:]), []
        for constant, weight in zip(reversed(constants.unbind(0)), reversed(weights.unbind(0)), strict=True):
            running = torch.addcmul(constant, weight, running)
            expected.append(running)
        assert torch.equal(backward_recursion(constants, weights), torch.stack(expected[::-1]))
        in_double = backward_recursion(constants.double(), weights.double())
        torch.testing.assert_close(in_double.float(), torch.stack(expected[::-1]))
