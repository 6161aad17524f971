"""The gradient that the project computes is the one that the text derives, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pg_experiments.policy import Linear
from pg_experiments.tensors.learners import Learners
from tests.conftest import make_run, reinforce, rollout_of, spaces, total_loss

GENERATOR = torch.Generator().manual_seed(0)


def gradient(head: str, observation: torch.Tensor, action: int, num_actions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of a linear policy and −dL/dθ for one step with advantage 1, both [D, K]."""
    policy = (
        Linear(head=head, bias=False, initialisation="torch")
        .build(*spaces(len(observation), num_actions), Learners([0]))
        .double()
    )
    rollout = rollout_of(
        observation.view(1, 1, 1, -1),
        torch.tensor([[[action]]]),
        torch.ones(1, 1, 1, dtype=torch.float64),
        torch.ones(1, 1, 1, dtype=torch.bool),
    )
    loss = total_loss(reinforce(policy), rollout, torch.ones(1, 1, 1, dtype=torch.float64))
    (theta,) = policy.parameters()
    (ascent,) = torch.autograd.grad(-loss.sum(), theta)
    return theta.detach()[0], ascent[0]


@pytest.mark.parametrize("action", [0, 1, 2])
def test_linear_softmax_gradient_is_one_minus_pi_for_the_action_and_minus_pi_for_the_others(action):
    s = torch.randn(5, dtype=torch.float64, generator=GENERATOR)
    theta, ascent = gradient("categorical", s, action, 3)
    pi = (s @ theta).softmax(0)
    expected = torch.stack([s * ((1.0 if k == action else 0.0) - pi[k]) for k in range(3)], dim=1)
    torch.testing.assert_close(ascent, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("action", [0, 1])
def test_bernoulli_gradient_is_the_action_minus_its_probability_times_the_features(action):
    x = torch.randn(5, dtype=torch.float64, generator=GENERATOR)
    theta, ascent = gradient("bernoulli", x, action, 2)
    p = (x @ theta).sigmoid()
    torch.testing.assert_close(ascent[:, 0], (action - p[0]) * x, rtol=0, atol=1e-12)


def test_the_texts_cross_entropy_form_of_the_loss_is_ours():
    """The text weighs nn.BCELoss by the returns and divides by the episodes; ours is the log-probability form."""
    generator = torch.Generator().manual_seed(3)
    T, E = 12, 4
    run = make_run("policy=linear", "policy.head=bernoulli", "policy.initialisation=torch")
    observations = torch.randn(T, 1, E, 4, generator=generator)
    actions = torch.randint(0, 2, (T, 1, E), generator=generator)
    returns = torch.randn(T, 1, E, generator=generator)
    rollout = rollout_of(observations, actions, returns, torch.ones(T, 1, E, dtype=torch.bool))
    for reduction, divisor in (("mean", E), ("sum", 1)):
        agent = reinforce(run.agent.policy, f"algorithm.reduction={reduction}")
        probability_of_up = (observations @ run.agent.policy.network.weights[0][0]).sigmoid().squeeze(-1)
        text = (nn.BCELoss(reduction="none")(probability_of_up, actions.float()) / divisor * returns).sum()
        ours = total_loss(agent, rollout, returns)
        torch.testing.assert_close(ours, text[None], rtol=1e-5, atol=1e-6)
        (weight,) = run.agent.policy.network.weights
        gradients = [torch.autograd.grad(loss, weight)[0] for loss in (text, ours.sum())]
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)
