"""The policy at its best: whose parameters are kept, when they are replaced, and by what."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from pg_experiments.run.best import Best


class Numbered(nn.Module):
    """Its parameters, of three learners, are the number of updates made so far."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 2))


def followed(*updates: tuple[list[int], list[float], bool]) -> Best:
    """After updates of some learners with those mean returns, of full windows or not."""
    policy = Numbered()
    best = Best(policy, 3)
    for number, (learners, means, full) in enumerate(updates, 1):
        best.follow(policy, np.array(learners), np.array(means, float), np.full(len(learners), full), number - 1)
        policy.weight.data.fill_(number)
        best.renew(policy, np.array(learners), number)
    return best


def kept(best: Best) -> list[float]:
    return best.parameters["weight"][:, 0].tolist()


def test_each_learner_keeps_the_parameters_of_its_own_best_update():
    best = followed(([0, 1, 2], [5, 5, 5], True), ([0, 1, 2], [9, 4, 6], True), ([2, 0], [7, 8], True))
    assert kept(best) == [1, 0, 2]
    assert best.update.tolist() == [1, 0, 2]
    assert best.mean_return.tolist() == [9, 5, 7]


@pytest.mark.parametrize(("equal", "number"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (9, 8)])
def test_of_equal_means_the_one_whose_number_is_a_power_of_two_is_kept(equal, number):
    best = followed(([0], [4], True), *[([0], [5], True)] * equal)
    assert (kept(best), best.windows.tolist()) == ([number, 0, 0], [equal, 0, 0])


def test_equal_means_are_counted_past_lower_ones_and_from_one_again_after_a_higher_one():
    assert kept(followed(([0], [5], True), ([0], [4], True), ([0], [5], True))) == [2, 0, 0]
    best = followed(*[([0], [5], True)] * 4, ([0], [6], True), ([0], [6], True), ([0], [6], True))
    assert (kept(best), best.windows.tolist()) == ([5, 0, 0], [3, 0, 0])


def test_until_a_window_is_full_the_newest_is_kept_however_good_an_earlier_one_was():
    best = followed(([0], [9], False), ([0], [1], False))
    assert kept(best) == [2, 0, 0]
    assert best.mean_return[0] == -math.inf
    assert kept(followed(([0], [9], False), ([0], [1], True))) == [1, 0, 0]
    assert kept(followed(([0], [9], False), ([0], [1], True), ([0], [9], False))) == [1, 0, 0]


def test_what_is_kept_does_not_change_with_the_policy_and_outlives_a_restore():
    best, again = followed(([0, 1, 2], [1, 1, 1], True), ([0, 2], [5, 6], True)), Best(Numbered(), 3)
    again.restore(best.state())
    assert kept(again) == [1, 0, 1]
    assert (again.mean_return.tolist(), again.update.tolist()) == ([5, 1, 6], [1, 0, 1])
    assert again.windows.tolist() == best.windows.tolist() == [1, 1, 1]
