"""Returns that continue with V(s), on the enumerated MDP of test_exact_gradient: exact with V^π, else off as predicted.

Time is part of the state, so V^π is [T, S]. These returns have no weight γ^t. The expected gradient for γ < 1 is
therefore compared with that of the discounted rewards that follow, without the weight.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pg_experiments.returns import GAE, TD, NStep, RewardToGo
from pg_experiments.tensors.learners import Learners
from tests.conftest import rollout_of, total_loss
from tests.test_exact_gradient import (
    ALL,
    F64,
    MOVE,
    REINFORCE,
    START,
    STEPS,
    THETA,
    exact_gradient,
    probabilities,
    state_values,
)

ERRORS = torch.tensor([[0.4, -1.1], [2.0, 0.3], [-0.7, 0.9]], dtype=F64)  # [T, S] of a wrong V(s)
OPTIONS = [TD(), NStep(1), NStep(2), NStep(3), GAE(0.0), GAE(0.3), GAE(0.95), GAE(1.0)]
DISCOUNTS = [1.0, 0.9]
WHOLE = [(0, STEPS)]


def expected_gradient(option, discount: float, values: torch.Tensor, fragments=WHOLE) -> torch.Tensor:
    """The expectation of the project's estimate over all trajectories, each divided into fragments [begin, end).

    Every trajectory is a column. Its advantages are multiplied by its probability, so that the sum is an expectation.
    """
    columns = ALL.states.shape[1]
    shown = values[torch.arange(STEPS)[:, None], ALL.states]  # [T, M] V(s_t)
    following = torch.cat([shown[1:], torch.full_like(shown[:1], torch.nan)])  # past the end is anything
    gamma = torch.tensor([discount], dtype=F64)
    total = torch.zeros_like(THETA)
    for begin, end in fragments:
        part = [x[begin:end, None] for x in (ALL.states, ALL.actions, ALL.rewards, shown, following)]
        states, actions, rewards, of_states, of_next = part
        mask = torch.ones_like(states, dtype=torch.bool)
        rollout = rollout_of(torch.nn.functional.one_hot(states, 2).to(F64), actions, rewards, mask)
        if end < STEPS:
            rollout = dataclasses.replace(rollout, terminated=torch.zeros_like(mask))
        advantages = option.build(Learners([0]))(rollout, of_next, gamma) - of_states
        loss = total_loss(REINFORCE, rollout, advantages * probabilities().detach() * columns)
        total += torch.autograd.grad(-loss.sum(), THETA)[0]
    return total.flatten()


def target_gradient(discount: float) -> torch.Tensor:
    """The gradient of J for γ = 1; for γ < 1, the expectation of reward-to-go without the weight γ^t."""
    if discount == 1:
        return exact_gradient(1.0)
    return expected_gradient(RewardToGo(exact_discount=False), discount, torch.zeros_like(ERRORS))


def lambda_error(trace_decay: float, discount: float) -> torch.Tensor:
    """E[error of G_t | s, a], [T, S, A], of λ-returns: B_t = γ P [(1 − λ) ε_{t+1} + λ Σ_a π B_{t+1}]; 0 at the end."""
    pi = THETA.detach()[0].softmax(-1)
    error = [torch.zeros(2, 2, dtype=F64)]
    for t in reversed(range(STEPS - 1)):
        later = (1 - trace_decay) * ERRORS[t + 1] + trace_decay * (pi * error[0]).sum(1)
        error.insert(0, discount * MOVE @ later)
    return torch.stack(error)


def n_step_error(n: int, discount: float) -> torch.Tensor:
    """Likewise of n-step returns: γ^n E[ε_{t+n} | s, a], 0 where the episode ends before."""
    pi = THETA.detach()[0].softmax(-1)
    errors = torch.zeros(STEPS, 2, 2, dtype=F64)
    for t in range(STEPS - n):
        expected = ERRORS[t + n]
        for _ in range(n - 1):
            expected = (pi * (MOVE @ expected)).sum(1)
        errors[t] = discount**n * MOVE @ expected
    return errors


def predicted_bias(errors: torch.Tensor) -> torch.Tensor:
    """Σ_t Σ_s d_t(s) Σ_a ∇π(a | s) B_t(s, a), with the distribution d_t of states. −ε(s_t) does not appear in it."""
    pi = THETA[0].softmax(-1)
    reached, objective = START, torch.zeros((), dtype=F64)
    for t in range(STEPS):
        objective = objective + (reached[:, None] * pi * errors[t]).sum()
        reached = torch.einsum("s,sa,sak->k", reached, pi.detach(), MOVE)
    return torch.autograd.grad(objective, THETA)[0].flatten()


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_with_the_policys_own_values_the_expected_estimate_is_exact(option, discount):
    gradient = expected_gradient(option, discount, state_values(discount))
    torch.testing.assert_close(gradient, target_gradient(discount), rtol=0, atol=1e-10)


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_a_wrong_value_biases_the_estimate_by_its_error_where_returns_continue_with_it(option, discount):
    if isinstance(option, NStep):
        errors = n_step_error(option.n, discount)
    else:
        errors = lambda_error(getattr(option, "gae_lambda", 0.0), discount)
    found = expected_gradient(option, discount, state_values(discount) + ERRORS) - target_gradient(discount)
    torch.testing.assert_close(found, predicted_bias(errors), rtol=0, atol=1e-10)
    continues_with_it = option not in (NStep(3), GAE(1.0))
    assert bool(found.norm() > 1e-6) == continues_with_it


@pytest.mark.parametrize("fragments", [[(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]], ids=str)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_an_episode_in_fragments_has_the_expected_gradient_of_the_whole_one(option, fragments):
    values = state_values(0.9)
    whole, divided = (expected_gradient(option, 0.9, values, pieces) for pieces in (WHOLE, fragments))
    torch.testing.assert_close(divided, whole, rtol=0, atol=1e-10)


def test_a_lower_lambda_has_less_variance_with_exact_values():
    """Of the advantage of the first step, over all trajectories."""
    values = state_values(1.0)
    shown = values[torch.arange(STEPS)[:, None], ALL.states]
    following = torch.cat([shown[1:], torch.zeros_like(shown[:1])])[:, None]
    mask = torch.ones_like(following, dtype=torch.bool)
    observations = torch.nn.functional.one_hot(ALL.states[:, None], 2).to(F64)
    rollout = rollout_of(observations, ALL.actions[:, None], ALL.rewards[:, None], mask)
    p, variances = probabilities().detach(), []
    for trace_decay in (0.0, 0.5, 1.0):
        returns = GAE(trace_decay).build(Learners([0]))(rollout, following, torch.ones(1, dtype=F64))
        advantages = (returns[:, 0] - shown)[0]
        variances.append(float((p * (advantages - (p * advantages).sum()).square()).sum()))
    assert variances == sorted(set(variances))
