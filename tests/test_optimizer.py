"""The options of the group `optimizer`: what each hands on to its rule, and how far it steps."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pg_experiments.optimizer import SGD, Adam, AdamW, RMSprop, schedule_factor
from pg_experiments.optimizer import rules as update_rules
from pg_experiments.tensors.learners import Learners

COMMON = {"schedule": "constant", "final_fraction": 0.1, "max_grad_norm": None}
VALUES = (torch.tensor([0.03]), torch.tensor([0.02]))  # learning rate and weight decay of one learner


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        (
            Adam(0.03, 0.02, **COMMON, beta1=0.8, beta2=0.97, epsilon=1e-3),
            update_rules.Adam(*VALUES, beta1=0.8, beta2=0.97, epsilon=1e-3, decoupled=False),
        ),
        (
            AdamW(0.03, 0.02, **COMMON, beta1=0.8, beta2=0.97, epsilon=1e-3),
            update_rules.Adam(*VALUES, beta1=0.8, beta2=0.97, epsilon=1e-3, decoupled=True),
        ),
        (SGD(0.03, 0.02, **COMMON, momentum=0.7), update_rules.SGD(*VALUES, momentum=0.7)),
        (
            RMSprop(0.03, 0.02, **COMMON, decay=0.9, epsilon=1e-3, momentum=0.7),
            update_rules.RMSprop(*VALUES, decay=0.9, epsilon=1e-3, momentum=0.7),
        ),
    ],
)
def test_every_setting_of_an_option_reaches_its_rule(option, rule):
    assert option.rule(*VALUES) == rule


@pytest.mark.parametrize(("norm", "length"), [(None, 5.0), (2.0, 2.0), (9.0, 5.0)])
def test_a_gradient_is_scaled_down_to_the_largest_norm_that_it_may_have(norm, length):
    weight = nn.Parameter(torch.zeros(1, 2))
    option = SGD(1.0, 0.0, schedule="constant", final_fraction=0.1, max_grad_norm=norm, momentum=0.0)
    optimizer = option.build([("weight", weight)], Learners([0]))
    optimizer.step([-(weight * torch.tensor([[3.0, 4.0]])).sum(1)], [0], [1.0])
    assert weight.tolist()[0] == pytest.approx([0.6 * length, 0.8 * length])


@pytest.mark.parametrize(
    ("schedule", "quarter"),
    [
        ("constant", 1.0),
        ("linear", 0.8),
        ("cosine", 0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2),
        ("exponential", 0.2**0.25),
    ],
)
def test_a_schedule_follows_its_formula_and_stays_at_its_ends(schedule, quarter):
    option = SGD(1.0, 0.0, schedule=schedule, final_fraction=0.2, max_grad_norm=None, momentum=0.0)
    assert option.factor(0.25) == pytest.approx(quarter)
    assert schedule_factor(schedule, 0.2, -0.5) == 1.0
    assert schedule_factor(schedule, 0.2, 1.5) == pytest.approx(option.factor(1.0))


def test_a_learners_norm_is_that_of_all_its_parameters_together_and_each_is_clipped_by_its_own():
    first, second = nn.Parameter(torch.zeros(2, 1)), nn.Parameter(torch.zeros(2, 1))
    option = SGD(1.0, 0.0, schedule="constant", final_fraction=0.1, max_grad_norm=1.0, momentum=0.0)
    loss = -(first * torch.tensor([[3.0], [0.3]]) + second * torch.tensor([[4.0], [0.4]])).sum(1)
    step = option.build([("first", first), ("second", second)], Learners([0, 1])).step([loss], [0, 1], [1.0, 1.0])
    torch.testing.assert_close(step.norms, torch.tensor([5.0, 0.5]))
    torch.testing.assert_close(first.detach(), torch.tensor([[0.6], [0.3]]))
    torch.testing.assert_close(second.detach(), torch.tensor([[0.8], [0.4]]))


def test_the_norms_of_some_learners_are_their_own_in_their_order():
    weight = nn.Parameter(torch.zeros(3, 2))
    option = SGD(1.0, 0.0, schedule="constant", final_fraction=0.1, max_grad_norm=None, momentum=0.0)
    loss = (weight[[0, 2]] * torch.tensor([[3.0, 4.0], [0.3, 0.4]])).sum(1)
    step = option.build([("weight", weight)], Learners([0, 1, 2])).step([loss], [0, 2], [1.0, 0.5])
    torch.testing.assert_close(step.norms, torch.tensor([5.0, 0.5]))
    torch.testing.assert_close(weight.detach(), -torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.15, 0.2]]))
