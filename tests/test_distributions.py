"""The derivatives of distributions over actions are those of automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from gymnasium.spaces import Discrete

from pg_experiments.policy.heads import Bernoulli, Categorical

HEADS = [Categorical(Discrete(2)), Categorical(Discrete(5)), Bernoulli(Discrete(2))]


@pytest.mark.parametrize("head", HEADS, ids=["categorical of 2", "categorical of 5", "bernoulli"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_the_gradients_of_log_probability_and_entropy_are_those_of_their_formulas(head, scale):
    generator = torch.Generator().manual_seed(0)
    outputs = scale * torch.randn(3, 40, head.num_outputs, generator=generator, dtype=torch.float64)
    actions = torch.randint(head.num_actions, (3, 40), generator=generator)
    outputs.requires_grad_()
    distribution = head.at(outputs)
    (of_log_prob,) = torch.autograd.grad(distribution.log_prob(actions).sum(), outputs, retain_graph=True)
    (of_entropy,) = torch.autograd.grad(distribution.entropy.sum(), outputs)
    torch.testing.assert_close(distribution.log_prob_gradient(actions), of_log_prob)
    torch.testing.assert_close(distribution.entropy_gradient(), of_entropy)
