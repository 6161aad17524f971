"""The loss and the entropy, by hand: signs, divisors, what is constant and what counts nowhere."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from pg_experiments.algorithm import reinforce as reinforce_module
from pg_experiments.algorithm.objective import policy_gradient_loss, total_entropy
from pg_experiments.policy import MLP, Linear
from pg_experiments.tensors.learners import Learners
from tests.conftest import make_run, reinforce, rollout_of, spaces, total_loss

NAN = math.nan


def test_the_loss_is_minus_the_sum_over_steps_of_advantage_and_log_probability_over_the_episodes():
    log_probs = torch.tensor([[-1.0, -2.0, NAN], [-3.0, NAN, NAN]])
    advantages = torch.tensor([[3.0, 1.0, 7.0], [-1.0, 7.0, 7.0]])
    valid = torch.tensor([[True, True, False], [True, False, False]])
    assert policy_gradient_loss(log_probs, advantages, valid, 2).tolist() == [2.5, -1.5]
    assert policy_gradient_loss(log_probs, advantages, valid, 1).tolist() == [5, -3]


def test_advantages_are_constants_of_the_loss():
    advantages = torch.tensor([[3.0]], requires_grad=True)
    log_probs = torch.tensor([[-1.0]], requires_grad=True)
    policy_gradient_loss(log_probs, advantages, torch.tensor([[True]]), 1).sum().backward()
    assert advantages.grad is None
    assert log_probs.grad.item() == -3


def test_the_entropy_is_summed_over_the_steps_that_count_and_averaged_over_the_episodes():
    entropies = torch.tensor([[1.0, 3.0, NAN], [1.0, NAN, NAN]])
    valid = torch.tensor([[True, True, False], [True, False, False]])
    assert total_entropy(entropies, valid, 2).tolist() == [2, 0.5]


def two_steps(advantages: float = 0.0):
    """Two steps of one episode, of which each has an observation of its own."""
    observations = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(2, 1, 1, 2)
    mask = torch.ones(2, 1, 1, dtype=torch.bool)
    return rollout_of(observations, torch.zeros(2, 1, 1, dtype=torch.int64), torch.ones(2, 1, 1), mask)


@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 2), ("sum", 1)])
def test_an_entropy_bonus_is_subtracted_from_the_loss_so_that_a_step_makes_the_policy_more_random(reduction, divisor):
    linear = Linear(head="categorical", bias=False, initialisation="torch")
    policy = linear.build(*spaces(2, 2), Learners([3]))
    agent = reinforce(policy, f"algorithm.reduction={reduction}", "algorithm.entropy_bonus=0.5")
    (theta,) = policy.parameters()
    logits = theta[0]
    entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum()
    two_episodes = dataclasses.replace(
        two_steps(),
        **{name: getattr(two_steps(), name).transpose(0, 2) for name in ("observations", "actions", "rewards", "mask")},
    )
    loss = total_loss(agent, two_episodes, torch.zeros(1, 1, 2))
    torch.testing.assert_close(loss[0], -0.5 * entropy / divisor)
    ours, theirs = (torch.autograd.grad(each, theta)[0] for each in (loss.sum(), -0.5 * entropy / divisor))
    assert theirs.abs().max() > 1e-4
    torch.testing.assert_close(ours, theirs)


def test_the_loss_of_some_learners_is_that_of_their_own_parameters_and_masks():
    policy = MLP(
        head="categorical", hidden=8, layers=2, activation="tanh", dropout=0.5, bias=True, initialisation="torch"
    ).build(*spaces(2, 2), Learners([0, 1, 2]))
    masks = torch.rand(2, 1, 1, 2, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    rollout = dataclasses.replace(two_steps(), learners=torch.tensor([2]), dropout_masks=masks)
    advantages = torch.tensor([1.0, -2.0]).view(2, 1, 1)
    (loss,) = total_loss(reinforce(policy), rollout, advantages)
    (w0, w1, w2), (b0, b1, b2) = ([p[2] for p in stack] for stack in (policy.network.weights, policy.network.biases))
    x = torch.tanh(2 * masks[:, 0, 0, 0] * (torch.eye(2) @ w0 + b0))
    logits = torch.tanh(2 * masks[:, 0, 0, 1] * (x @ w1 + b1)) @ w2 + b2
    log_probs = logits.log_softmax(-1)[:, 0]
    torch.testing.assert_close(loss, -(log_probs[0] - 2 * log_probs[1]))


@pytest.mark.parametrize("overrides", [("policy.dropout=0.3", "policy.layers=2"), ("algorithm.entropy_bonus=0.1",)])
def test_blocks_at_once_have_the_bits_of_blocks_one_after_the_other(overrides, monkeypatch):
    run = make_run("num_seeds=3", "collect.episodes=24", "policy.hidden=16", *overrides)
    for active in (np.arange(3), np.array([0, 2])):
        rollout = run.collector.collect(0, active)
        assert rollout.flat.valid.shape[1] > 2 * rollout.flat.block
        updates = []
        for few in (0, 1000):
            monkeypatch.setattr(reinforce_module, "FEW_BLOCKS", few)
            parts = list(run.agent.losses(rollout, rollout.rewards))
            assert (len(parts) == 1) == (few > 0)
            run.agent.policy.zero_grad()
            for part in parts:
                part.loss.sum().backward()
            gradients = [parameter.grad for parameter in run.agent.policy.parameters()]
            losses = parts[0].loss.detach()
            for part in parts[1:]:
                losses = losses + part.loss.detach()
            updates.append([losses, torch.stack([part.entropy for part in parts]).sum(0), *gradients])
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*updates, strict=True))
