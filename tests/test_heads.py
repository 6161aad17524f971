"""Heads and dropout masks, number by number: what each uniform number becomes, and what is the most probable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from pg_experiments.policy import MLP
from pg_experiments.policy.heads import Bernoulli, Categorical, Greedy
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.dense_form import LEVELS
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.stacked import StackedMLP
from tests.conftest import spaces


def policy(dropout: float, layers: int = 1) -> Policy:
    option = MLP("categorical", 8, layers, "relu", dropout=dropout, bias=True, initialisation="torch")
    return option.build(*spaces(4, 2), Learners([0]))


def test_a_bernoulli_head_says_1_where_the_uniform_number_is_below_its_probability():
    """Exactly: log u − log(1 − u) < z if and only if u < σ(z)."""
    head = Bernoulli(Discrete(2))
    logits = torch.tensor([[-2.0], [0.0], [1.0]])
    for logit, p in zip(logits, logits.sigmoid().flatten(), strict=True):
        uniform = torch.tensor([[p - 1e-4], [p + 1e-4]])
        assert head.sample(logit.expand(2, 1), head.noise(uniform)).tolist() == [1, 0]


@pytest.mark.parametrize("head", [Categorical(Discrete(2)), Bernoulli(Discrete(2))])
def test_the_probabilities_of_all_actions_are_those_of_the_log_probabilities(head):
    logits = torch.randn(6, head.num_outputs, generator=torch.Generator().manual_seed(0)) * 3
    stated = torch.stack([head.at(logits).log_prob(torch.full((6,), action)).exp() for action in (0, 1)], -1)
    torch.testing.assert_close(head.probabilities(logits), stated)


def test_a_greedy_head_takes_the_most_probable_action_and_of_equal_ones_the_first():
    for head, logits, expected in (
        (Categorical(Discrete(3)), [[0.1, 0.3, 0.2], [0.5, 0.5, 0.5], [-1.0, -3.0, -2.0]], [1, 0, 0]),
        (Bernoulli(Discrete(2)), [[0.01], [0.0], [-0.01]], [1, 0, 0]),
    ):
        of = torch.tensor(logits)
        noise = Greedy(head).noise(torch.rand(of.shape, generator=torch.Generator().manual_seed(0)))
        assert Greedy(head).sample(of, noise).tolist() == expected


def test_a_greedy_policy_drops_no_unit_and_has_the_same_parameters():
    acting = policy(0.5)
    greedy = acting.greedy()
    assert (acting.has_noise, greedy.has_noise) == (True, False)
    assert greedy.network is acting.network


class EveryLevel:
    """In place of a bit generator: each number of 16 bits once."""

    def random_raw(self, count: int) -> np.ndarray:
        return np.arange(4 * count, dtype=np.uint16).view(np.uint64)


class Stream:
    bit_generator = EveryLevel()


@pytest.mark.parametrize("dropout", [1 / LEVELS, 0.25, 0.5, 0.999])
def test_of_all_levels_dropout_drops_just_its_share_and_the_scale_keeps_the_mean(dropout):
    of = policy(dropout)
    kept = of.network.draw_noise(0, Stream(), LEVELS // 8)
    assert kept.shape == (LEVELS // 8, 1, 8)
    assert np.count_nonzero(~kept) == round(dropout * LEVELS)
    assert of.bind().scale * kept.mean() == pytest.approx(1.0)


def test_each_learner_drops_and_scales_by_its_own_probability_whoever_takes_part():
    rates = torch.tensor([0.0, 0.5, 0.75])
    network = StackedMLP(3, 4, 2, hidden=8, layers=1, activation="relu", bias=True, dropout=rates)
    assert network.has_noise
    for learner, kept in enumerate((1.0, 0.5, 0.25)):
        assert network.draw_noise(learner, Stream(), LEVELS // 8).mean() == kept
    assert torch.as_tensor(network.bind().scale).flatten().tolist() == [1, 2, 4]
    assert torch.as_tensor(network.bind(torch.tensor([2, 1])).scale).flatten().tolist() == [4, 2]


def test_no_dropout_and_no_hidden_layer_need_no_masks():
    assert not policy(0.0).has_noise
    assert not policy(0.5, layers=0).has_noise
    assert policy(1 - 1e-9).network.drop_below.tolist() == [LEVELS - 1], "something is always kept"


def test_gumbel_noise_is_minus_the_logarithm_of_minus_the_logarithm():
    uniform = torch.tensor([0.1, 0.5, 0.9])
    expected = [-math.log(-math.log(u)) for u in uniform.tolist()]
    assert Categorical(Discrete(2)).noise(uniform).tolist() == pytest.approx(expected, rel=1e-5)
