"""Baselines from a batch's other episodes add no bias, and the optimal constant is optimal: every pair is enumerated.

The MDP is that of test_exact_gradient.py. A batch has two episodes, so there are 64² pairs of trajectories. Each pair
takes the place of a learner in one rollout, and all of them have the parameters of one.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch

from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.baseline import variance_terms
from pg_experiments.returns import RewardToGo, Trajectory
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import reinforce, rollout_of, total_loss
from tests.test_exact_gradient import ALL, F64, POLICY, STEPS, THETA, estimates, mean_and_variance, probabilities

M = ALL.states.shape[1]
OPTIONS = {"trajectory": Trajectory, "reward_to_go": RewardToGo}


def mask_of(ends_early: bool) -> torch.Tensor:
    """[T, M]: all steps, or those up to the first time that action 1 is taken in state 1, which terminates."""
    terminates = (ALL.states == 1) & (ALL.actions == 1) & ends_early
    return terminates.cumsum(0) - terminates.long() == 0


def batch(trajectories: torch.Tensor, mask: torch.Tensor) -> Rollout:
    """The trajectories [R, E] as episodes of R learners with the parameters of one. `mask` is [T, M]."""
    states, actions, rewards, steps = (x[:, trajectories] for x in (ALL.states, ALL.actions, ALL.rewards, mask))
    rollout = rollout_of(torch.nn.functional.one_hot(states, 2).to(F64), actions, rewards, steps)
    return dataclasses.replace(rollout, learners=torch.zeros(len(trajectories), dtype=torch.int64))


def agent_of(returns: str, baseline: str, discount: float) -> ReinforceAgent:
    overrides = (f"returns={returns}", f"baseline={baseline}", f"algorithm.discount={discount}")
    return reinforce(POLICY, *overrides, "returns.exact_discount=true", "collect.episodes=2", "normalization=none")


def expected_gradient(agent: ReinforceAgent, mask: torch.Tensor) -> torch.Tensor:
    """The expectation of the agent's gradient over all pairs of trajectories."""
    first, second = torch.meshgrid(torch.arange(M), torch.arange(M), indexing="ij")
    rollout = batch(torch.stack([first.flatten(), second.flatten()], 1), mask)
    p = probabilities().detach()
    losses = total_loss(agent, rollout, agent.credit(rollout).advantages)
    gain = -((p[:, None] * p).flatten() * losses).sum()
    return torch.autograd.grad(gain, THETA)[0].flatten()


def exact_gradient(discount: float, mask: torch.Tensor) -> torch.Tensor:
    weights = discount ** torch.arange(STEPS, dtype=F64)[:, None] * mask
    return torch.autograd.grad((probabilities() * (weights * ALL.rewards).sum(0)).sum(), THETA)[0].flatten()


@pytest.mark.parametrize("ends_early", [False, True], ids=["of equal length", "of random length"])
@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("returns", OPTIONS)
@pytest.mark.parametrize("baseline", ["leave_one_out", "time_dependent", "optimal"])
def test_a_baseline_of_the_other_episodes_leaves_the_expected_gradient_as_it_is(
    baseline, returns, discount, ends_early
):
    mask = mask_of(ends_early)
    found = expected_gradient(agent_of(returns, baseline, discount), mask)
    torch.testing.assert_close(found, exact_gradient(discount, mask), rtol=0, atol=1e-10)


@pytest.mark.parametrize("ends_early", [False, True], ids=["of equal length", "of random length"])
@pytest.mark.parametrize("returns", OPTIONS)
def test_the_mean_of_all_episodes_does_not(returns, ends_early):
    """With the trajectory's return, and two episodes of equal length, half of the gradient is lost."""
    mask = mask_of(ends_early)
    found, exact = expected_gradient(agent_of(returns, "mean", 1.0), mask), exact_gradient(1.0, mask)
    assert float((found - exact).norm() / exact.norm()) > 0.05
    if returns == "trajectory" and not ends_early:
        torch.testing.assert_close(found, exact / 2, rtol=0, atol=1e-10)


def optimal_constant(returns: str, discount: float) -> tuple[float, float]:
    """The optimal constant with exact expectations, and the expected mean return."""
    agent = agent_of(returns, "none", discount)
    rollout = batch(torch.arange(M)[None], mask_of(False))
    credit = agent.credit(rollout)
    p = probabilities().detach()
    products, squares = variance_terms(credit.returns, partial(agent.episode_gradients, rollout))
    return float((p * products).sum() / (p * squares).sum()), float((p * credit.returns.mean(0)).sum())


@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("returns", OPTIONS)
def test_no_constant_has_less_variance_than_the_optimal_one(returns, discount):
    """Nor 0 (no baseline), nor the expected mean return, which the means of a batch estimate."""

    def variance(constant: float) -> float:
        return mean_and_variance(estimates(OPTIONS[returns](exact_discount=True), constant, discount))[1]

    optimal, mean_return = optimal_constant(returns, discount)
    least = variance(optimal)
    scan = [optimal + offset for offset in (-3.0, -1.0, -0.3, -0.1, -0.01, 0.01, 0.1, 0.3, 1.0, 3.0)]
    assert all(least < variance(constant) for constant in scan)
    assert least < variance(mean_return) < variance(0.0)
    assert abs(optimal - mean_return) > 0.01
