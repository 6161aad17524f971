"""The clipped objective of PPO, its approximate KL divergence, and the clipped error of V(s): values by hand."""

from __future__ import annotations

import dataclasses

import torch

from pg_experiments.algorithm.ppo import ClippedObjective
from pg_experiments.baseline import ValueOption
from pg_experiments.tensors.learners import Learners
from tests.conftest import spaces


def test_the_clipped_objective_and_its_gradient_are_those_of_the_formula():
    """Ratios below, within and above 1 ± ε, with both signs of the advantage: only two of six have no gradient."""
    ratios = torch.tensor([[0.5, 1.1, 2.0, 0.5, 1.1, 2.0]], dtype=torch.float64)
    advantages = torch.tensor([[3.0, 3.0, 3.0, -3.0, -3.0, -3.0]], dtype=torch.float64)
    log_probs = ratios.log().requires_grad_()
    old = torch.zeros_like(ratios)
    losses, slopes, found = ClippedObjective(0.2).surrogate(log_probs, old, advantages)
    torch.testing.assert_close(losses, -torch.tensor([[1.5, 3.3, 3.6, -2.4, -3.3, -6.0]], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(losses.sum(), log_probs)
    expected = -advantages * ratios * torch.tensor([[1, 1, 0, 0, 1, 1]])
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(slopes, expected)
    assert found["clipfrac"].tolist() == [[1, 0, 1, 1, 0, 1]]
    torch.testing.assert_close(found["approx_kl"], ratios - 1 - ratios.log())
    unclipped, slopes, found = ClippedObjective(None).surrogate(log_probs, old, advantages)
    torch.testing.assert_close(unclipped, -advantages * ratios)
    torch.testing.assert_close(slopes, -advantages * ratios)
    assert not found["clipfrac"].any()


def test_the_approximate_kl_is_that_of_the_old_policy_from_the_new_one():
    """E_old[ρ − 1 − log ρ] = KL(old ‖ new), and never negative, over all actions of two distributions."""
    old, new = (torch.tensor(p, dtype=torch.float64).log() for p in ([0.7, 0.2, 0.1], [0.5, 0.2, 0.3]))
    _, _, found = ClippedObjective(0.2).surrogate(new[None], old[None], torch.ones(1, 3, dtype=torch.float64))
    torch.testing.assert_close((old.exp() * found["approx_kl"][0]).sum(), (old.exp() * (old - new)).sum())
    assert (found["approx_kl"] >= 0).all()


def test_the_squared_error_is_clipped_as_documented():
    """max((v − G)², (v_old + clip(v − v_old) − G)²) with c = 0.5: no gradient once v is c closer to G."""
    option = ValueOption(8, 1, "tanh", "torch", learning_rate=None, steps=1, bootstrap=False, clip_range=0.5)
    targets, old = torch.tensor([[2.0, 2.0, 2.0, -1.0]]), torch.zeros(1, 4)
    values = torch.tensor([[0.25, 1.0, -1.0, -0.75]], requires_grad=True)
    cpu, observations = torch.device("cpu"), spaces(3, 2)[0]
    critic = option.build(observations, None, Learners([0]), cpu)
    errors, slopes = critic.squared_errors(values, targets, old)
    assert errors.tolist() == [[1.75**2, 1.5**2, 9.0, 0.25]]
    (gradient,) = torch.autograd.grad(errors.sum(), values)
    assert gradient.tolist() == slopes.tolist() == [[-3.5, 0.0, -6.0, 0.0]]
    free = dataclasses.replace(option, clip_range=None).build(observations, None, Learners([0]), cpu)
    errors, slopes = free.squared_errors(values, targets, old)
    assert torch.equal(errors, (values - targets).square())
    assert torch.equal(slopes, 2 * (values - targets))
