"""Returns n_step, td and gae, against loops that are written from their definitions, on episodes that end at random."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from pg_experiments.baseline import ValueOption
from pg_experiments.returns import GAE, TD, NStep, RewardToGo
from pg_experiments.returns.recursion import n_step_returns
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Finals, Rollout
from tests.conftest import rewarded, spaces

T, R, E = 17, 3, 4
F64 = torch.float64
LEARNERS = Learners(range(R))


@dataclasses.dataclass
class Case:
    """A batch of fragments, V(s) of every step, and V of what followed each step, before any reset."""

    rollout: Rollout
    values: torch.Tensor  # [T, R, E]
    next_values: torch.Tensor  # [T, R, E]

    def column(self, r: int, e: int) -> list[tuple[float, bool, bool, float]]:
        """Of each step: its reward, whether it was terminal, whether it was cut off, and V of the next state."""
        parts = (self.rollout.rewards, self.rollout.terminated, self.rollout.truncated, self.next_values)
        steps = list(zip(*(part[:, r, e].tolist() for part in parts), strict=True))
        return [(paid, over, cut or t == T - 1, value) for t, (paid, over, cut, value) in enumerate(steps)]


def case(seed: int) -> Case:
    """Random rewards, values and ends: some terminated, some truncated, some both; NaN follows where it is terminal."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values, finals = torch.randn(3, T, R, E, dtype=F64, generator=generator)
    terminated, truncated = torch.rand(2, T, R, E, generator=generator) < 0.15
    cuts = truncated | (torch.arange(T) == T - 1)[:, None, None]
    following = torch.cat([values[1:], values[:1]])
    next_values = torch.where(terminated, torch.nan, torch.where(cuts, finals, following))
    return Case(rewarded(rewards, terminated=terminated, truncated=truncated), values, next_values)


CASES = [case(seed) for seed in range(5)]
DISCOUNT = torch.tensor([0.99, 0.7, 1.0], dtype=F64)


def windowed(steps: list[tuple[float, bool, bool, float]], discount: float, n: int) -> list[float]:
    """n-step returns from their definition: for each step, walk at most n steps ahead."""
    returns = []
    for start in range(len(steps)):
        total, weight = 0.0, 1.0
        for reward, is_terminal, is_cut, value in steps[start : start + n]:
            total, weight, last = total + weight * reward, weight * discount, value
            if is_terminal:
                last = 0.0
            if is_terminal or is_cut:
                break
        returns.append(total + weight * last)
    return returns


def generalised(
    steps: list[tuple[float, bool, bool, float]], values: list[float], discount: float, trace_decay: float
) -> list[float]:
    """Advantages as the rollout buffers of PPO compute them: last = δ + γ λ last, from the last step to the first."""
    advantages, last = [0.0] * len(steps), 0.0
    for t in reversed(range(len(steps))):
        reward, is_terminal, is_cut, value = steps[t]
        next_non_terminal = 0.0 if is_terminal else 1.0
        delta = reward + (discount * value if next_non_terminal else 0.0) - values[t]
        carried = 0.0 if is_cut or is_terminal else last
        last = delta + discount * trace_decay * next_non_terminal * carried
        advantages[t] = last
    return advantages


def returns_of(option, case: Case, learners: Learners = LEARNERS) -> torch.Tensor:
    return option.build(learners)(case.rollout, case.next_values, DISCOUNT[case.rollout.learners])


@pytest.mark.parametrize("n", [1, 2, 5, T - 1, T, 1000])
def test_n_step_returns_equal_windows_walked_step_by_step(n):
    for each in CASES:
        returns = returns_of(NStep(n), each)
        for r in range(R):
            for e in range(E):
                expected = windowed(each.column(r, e), float(DISCOUNT[r]), n)
                assert returns[:, r, e].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("trace_decay", [0.0, 0.5, 0.95, 1.0])
def test_gae_minus_the_values_equals_the_recursion_of_rollout_buffers(trace_decay):
    for each in CASES:
        advantages = returns_of(GAE(trace_decay), each) - each.values
        for r in range(R):
            for e in range(E):
                values = each.values[:, r, e].tolist()
                expected = generalised(each.column(r, e), values, float(DISCOUNT[r]), trace_decay)
                assert advantages[:, r, e].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_td_is_gae_with_lambda_0_and_n_step_with_one_step():
    for each in CASES:
        td = returns_of(TD(), each)
        assert torch.equal(td, returns_of(GAE(0.0), each))
        torch.testing.assert_close(td, returns_of(NStep(1), each), rtol=1e-14, atol=1e-14)


def test_gae_with_lambda_1_and_n_step_over_the_batch_are_the_reward_to_go_with_a_value_at_cuts():
    for each in CASES:
        at_cuts = torch.where(each.rollout.cuts, each.next_values, 0.0)
        to_go = RewardToGo(exact_discount=False)(each.rollout, at_cuts, DISCOUNT)
        for option in (GAE(1.0), NStep(T), NStep(10**9)):
            torch.testing.assert_close(returns_of(option, each), to_go, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("option", [NStep(1), NStep(4), TD(), GAE(0.9), GAE(1.0)])
def test_no_value_past_the_end_of_an_episode_counts_whatever_it_is(option, garbage):
    for each in CASES:
        zeros = dataclasses.replace(each, next_values=torch.where(each.rollout.terminated, 0.0, each.next_values))
        dirty = dataclasses.replace(each, next_values=torch.where(each.rollout.terminated, garbage, each.next_values))
        assert returns_of(option, zeros).isfinite().all()
        assert torch.equal(returns_of(option, dirty), returns_of(option, zeros))


@pytest.mark.parametrize("option", [NStep(3), TD(), GAE(0.9)])
def test_columns_that_are_shorter_than_the_batch_have_the_returns_of_their_own_steps_and_0_behind_them(option):
    """Episodes of 2, 5 and 9 steps; rewards behind their ends are NaN."""
    generator = torch.Generator().manual_seed(1)
    rewards, next_values = torch.randn(2, 9, 1, 3, dtype=F64, generator=generator)
    lengths = torch.tensor([[2, 5, 9]])
    mask = torch.arange(9)[:, None, None] < lengths
    rollout = rewarded(torch.where(mask, rewards, torch.nan), mask)
    returns = option.build(Learners([0]))(rollout, torch.where(mask, next_values, 0.0), DISCOUNT[:1])
    assert (returns[~mask] == 0).all()
    for e, length in enumerate((2, 5, 9)):
        alone = rewarded(rewards[:length, :, e : e + 1])
        expected = option.build(Learners([0]))(alone, next_values[:length, :, e : e + 1], DISCOUNT[:1])
        torch.testing.assert_close(returns[:length, :, e : e + 1], expected)


def test_each_learner_has_its_own_lambda_and_discount_also_where_only_some_take_part():
    learners = Learners(range(R), {"returns.gae_lambda": [0.0, 0.9, 0.4]})
    for each in CASES:
        whole = returns_of(GAE(0.5), each, learners)
        for r, trace_decay in enumerate((0.0, 0.9, 0.4)):
            torch.testing.assert_close(whole[:, r], returns_of(GAE(trace_decay), each)[:, r], rtol=0, atol=0)
        parts = {
            name: getattr(each.rollout, name)[:, [0, 2]] for name in ("rewards", "mask", "terminated", "truncated")
        }
        some = dataclasses.replace(each.rollout, learners=torch.tensor([0, 2]), **parts)
        returns = returns_of(
            GAE(0.5), dataclasses.replace(each, rollout=some, next_values=each.next_values[:, [0, 2]]), learners
        )
        assert torch.equal(returns, whole[:, [0, 2]])


def test_advantages_of_bootstrapped_returns_are_not_weighed():
    advantages = CASES[0].values
    for option in (NStep(2), TD(), GAE(0.9)):
        assert option.build(LEARNERS).weigh(advantages, CASES[0].rollout, DISCOUNT) is advantages


def test_a_window_of_rewards_alone_is_their_discounted_sum():
    ones = torch.ones(6, 1, dtype=F64)
    nothing = torch.zeros(6, 1, dtype=torch.bool)
    returns = n_step_returns(ones, nothing, nothing, None, 0.5, 3).flatten()
    assert returns.tolist() == [1.75, 1.75, 1.75, 1.75, 1.5, 1.0]


def test_the_next_value_of_a_step_is_that_of_its_next_observation_and_at_a_cut_that_of_the_final_one():
    """One learner, one column of 4 steps: truncated after the second, cut off after the last."""
    option = ValueOption(8, 1, "tanh", "torch", learning_rate=None, steps=1, bootstrap=False)
    critic = option.build(spaces(3, 2)[0], None, Learners([3]), torch.device("cpu"))
    generator = torch.Generator().manual_seed(2)
    observations, finals = torch.randn(4, 1, 1, 3, generator=generator), torch.randn(1, 2, 3, generator=generator)
    rollout = rewarded(torch.ones(4, 1, 1), terminated=torch.zeros(4, 1, 1, dtype=torch.bool))
    rollout = dataclasses.replace(
        rollout,
        observations=observations,
        truncated=torch.tensor([False, True, False, False]).view(4, 1, 1),
        finals=Finals(finals, torch.tensor([[1, 3]]), torch.ones(1, 2, dtype=torch.bool)),
    )
    values = critic.state_values(rollout)
    network = critic.network.bind(torch.tensor([0]))
    with torch.no_grad():
        own, at_finals = network(observations.view(1, 4, 3)).flatten(), network(finals).flatten()
    torch.testing.assert_close(values.flatten(), own)
    expected = torch.stack([own[1], at_finals[0], own[3], at_finals[1]])
    torch.testing.assert_close(critic.next_values(rollout, values).flatten(), expected)
