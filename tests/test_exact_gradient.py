"""Unbiased, and by how much less noisy: a small MDP whose every trajectory is enumerated.

Two states, two actions, three steps, stochastic transitions, rewards on state and action: (2 · 2)³ = 64 trajectories.
Each estimator is summed over all of them with its exact probability, so what is compared with the gradient of J is an
expectation, not a sample.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pytest
import torch

from pg_experiments.baseline import MeanBaseline
from pg_experiments.policy import Linear
from pg_experiments.returns import RewardToGo, Trajectory
from pg_experiments.tensors.learners import Learners
from tests.conftest import reinforce, rollout_of, spaces, total_loss, unused

F64 = torch.float64
START = torch.tensor([0.7, 0.3], dtype=F64)
MOVE = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.5, 0.5]]], dtype=F64)  # [s, a, s']
REWARD = torch.tensor([[1.0, -0.5], [0.3, 2.0]], dtype=F64)  # [s, a]
STEPS = 3


@dataclass
class Everything:
    """All trajectories, as one rollout with an episode for each, and their probabilities."""

    states: torch.Tensor  # [T, M]
    actions: torch.Tensor  # [T, M]
    rewards: torch.Tensor  # [T, M]
    dynamics: torch.Tensor  # [M]: the part of p(τ) that is not the policy's


def enumerate_all() -> Everything:
    paths = list(itertools.product(range(2), repeat=2 * STEPS))
    states = torch.tensor([path[:STEPS] for path in paths]).T
    actions = torch.tensor([path[STEPS:] for path in paths]).T
    dynamics = START[states[0]]
    for t in range(STEPS - 1):
        dynamics = dynamics * MOVE[states[t], actions[t], states[t + 1]]
    return Everything(states, actions, REWARD[states, actions], dynamics)


ALL = enumerate_all()
POLICY = Linear(head="categorical", bias=False, initialisation="torch").build(*spaces(2, 2), Learners([3])).double()
(THETA,) = POLICY.parameters()
REINFORCE = reinforce(POLICY, "collect.episodes=1")


def probabilities() -> torch.Tensor:
    """p(τ) of every trajectory under the policy, with its graph."""
    pi = THETA[0].softmax(-1)  # one-hot states: row s of θ holds the logits of state s
    return ALL.dynamics * pi[ALL.states, ALL.actions].prod(0)


def exact_gradient(discount: float) -> torch.Tensor:
    weights = discount ** torch.arange(STEPS, dtype=F64)
    objective = (probabilities() * (weights[:, None] * ALL.rewards).sum(0)).sum()
    return torch.autograd.grad(objective, THETA)[0].flatten()


def state_values(discount: float) -> torch.Tensor:
    """V^π_t(s), [T, S], by backward induction."""
    pi = THETA.detach()[0].softmax(-1)
    values = [torch.zeros(2, dtype=F64)]
    for _ in range(STEPS):
        values.insert(0, (pi * (REWARD + discount * (MOVE @ values[0]))).sum(1))
    return torch.stack(values[:-1])


def estimates(returns_option, baseline: str | float, discount: float) -> torch.Tensor:
    """What the project's estimator says on each trajectory alone, [M, parameters]."""
    mask = torch.ones(STEPS, 1, 1, dtype=torch.bool)
    found = []
    for m in range(ALL.states.shape[1]):
        states, actions, rewards = (x[:, m].view(STEPS, 1, 1) for x in (ALL.states, ALL.actions, ALL.rewards))
        rollout = rollout_of(torch.nn.functional.one_hot(states, 2).to(F64), actions, rewards, mask)
        returns = returns_option(rollout, None, torch.tensor([discount], dtype=F64))
        values = {
            "none": torch.zeros_like(returns),
            "constant": torch.full_like(returns, 1.3),
            baseline: torch.full_like(returns, baseline if isinstance(baseline, float) else 0.0),
            "value": state_values(discount)[torch.arange(STEPS), states.flatten()].view(STEPS, 1, 1),
        }[baseline]
        advantages = returns_option.weigh(returns - values, rollout, torch.tensor([discount], dtype=F64))
        loss = total_loss(REINFORCE, rollout, advantages)
        found.append(torch.autograd.grad(-loss.sum(), THETA)[0].flatten())
    return torch.stack(found)


def mean_and_variance(per_trajectory: torch.Tensor) -> tuple[torch.Tensor, float]:
    p = probabilities().detach()[:, None]
    mean = (p * per_trajectory).sum(0)
    return mean, float((p * (per_trajectory - mean).square()).sum())


def test_the_trajectories_are_all_of_them():
    torch.testing.assert_close(probabilities().sum(), torch.tensor(1.0, dtype=F64))


@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("baseline", ["none", "constant", "value"])
@pytest.mark.parametrize("option", [Trajectory, RewardToGo])
def test_the_expected_estimate_is_the_gradient_of_the_objective(option, baseline, discount):
    mean, _ = mean_and_variance(estimates(option(exact_discount=True), baseline, discount))
    torch.testing.assert_close(mean, exact_gradient(discount), rtol=0, atol=1e-10)


@pytest.mark.parametrize("baseline", ["none", "constant", "value"])
def test_without_discount_the_texts_reward_to_go_is_exact_as_it_is(baseline):
    mean, _ = mean_and_variance(estimates(RewardToGo(exact_discount=False), baseline, 1.0))
    torch.testing.assert_close(mean, exact_gradient(1.0), rtol=0, atol=1e-10)


def test_with_a_discount_the_texts_reward_to_go_is_not_the_gradient():
    """Without γ^t it is 12 % longer here, at γ = 0.9 and three steps, and points the same way to within 0.1°."""
    exact = exact_gradient(0.9)
    mean, _ = mean_and_variance(estimates(RewardToGo(exact_discount=False), "none", 0.9))
    assert float((mean - exact).norm() / exact.norm()) == pytest.approx(0.12, abs=0.005)
    assert float(mean.norm() / exact.norm()) == pytest.approx(1.12, abs=0.005)
    cosine = float(torch.cosine_similarity(mean, exact, dim=0))
    assert 1e-8 < 1 - cosine < 1 - math.cos(math.radians(0.1)), "0.04°"


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_reward_to_go_has_no_more_variance_than_the_trajectory_and_a_state_value_no_more_than_none(discount):
    _, trajectory = mean_and_variance(estimates(Trajectory(exact_discount=True), "none", discount))
    _, to_go = mean_and_variance(estimates(RewardToGo(exact_discount=True), "none", discount))
    _, with_value = mean_and_variance(estimates(RewardToGo(exact_discount=True), "value", discount))
    assert with_value < to_go < trajectory


def test_the_mean_of_a_batch_of_one_episode_takes_everything_from_the_trajectory_return():
    """A batch's own mean is a biased baseline: E episodes of equal length keep 1 − 1/E of it, so one keeps nothing."""
    mask = torch.ones(STEPS, 1, 4, dtype=torch.bool)
    rewards = ALL.rewards[:, :4].unsqueeze(1)
    states, actions = (x[:, :4].unsqueeze(1) for x in (ALL.states, ALL.actions))
    rollout = rollout_of(torch.nn.functional.one_hot(states, 2).to(F64), actions, rewards, mask)
    returns = Trajectory(exact_discount=False)(rollout, None, torch.ones(1))
    kept = returns - MeanBaseline().values(rollout, returns, unused)
    others = torch.stack([returns[0, 0, [e for e in range(4) if e != own]].mean() for own in range(4)])
    torch.testing.assert_close(kept[0, 0], (1 - 1 / 4) * (returns[0, 0] - others))
    one = rollout_of(rollout.observations[:, :, :1], actions[:, :, :1], rewards[:, :, :1], mask[:, :, :1])
    assert (returns[:, :, :1] - MeanBaseline().values(one, returns[:, :, :1], unused)).abs().max() < 1e-12
