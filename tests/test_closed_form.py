"""The gradient that the project computes is the one that the text derives, in float64."""

from __future__ import annotations

import pytest
import torch

from pg_experiments.policy import Linear
from tests.conftest import reinforce, rollout_of, total_loss

GENERATOR = torch.Generator().manual_seed(0)
REINFORCE = reinforce(episodes_per_update=1, discount=1.0, entropy_bonus=0.0, log_probs="recomputed")


def gradient(head: str, observation: torch.Tensor, action: int, num_actions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of a linear policy and −dL/dθ for one step with advantage 1, both [D, K]."""
    policy = Linear(head=head, bias=False, initialisation="torch").build(len(observation), num_actions, [0]).double()
    rollout = rollout_of(
        observation.view(1, 1, 1, -1),
        torch.tensor([[[action]]]),
        torch.ones(1, 1, 1, dtype=torch.float64),
        torch.ones(1, 1, 1, dtype=torch.bool),
    )
    loss = total_loss(REINFORCE, policy, rollout, torch.ones(1, 1, 1, dtype=torch.float64))
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
