"""The package's options fit the project: they are chosen, built, and trained with like its own."""

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from pg_experiments import UserError
from pg_experiments.tensors.learners import Learners

from pg_suggestions.features import FEATURES
from pg_suggestions.options import BinnedOption, ResidualPolicy

LEARNERS = Learners([3, 4])
CPU = torch.device("cpu")


def test_the_policy_is_a_residual_network_of_each_learner():
    policy = ResidualPolicy(width=8, blocks=1).build(Box(-1, 1, (len(FEATURES),)), Discrete(2), LEARNERS)
    outputs = policy.bind()(torch.randn(2, 5, len(FEATURES)))
    assert outputs.shape == (2, 5, 2)
    first = dict(policy.named_parameters())["network.first__weight"]
    assert first.shape == (2, 8, len(FEATURES))
    assert not torch.equal(first[0], first[1])


def test_the_baseline_is_for_observations_of_this_environment():
    option = BinnedOption(bins=4, decay=0.5)
    assert option.build(Box(-1, 1, (len(FEATURES),)), None, LEARNERS, CPU).state_dict().keys() == {
        "means.sums",
        "means.counts",
    }
    with pytest.raises(UserError, match="baseline=binned: for observations of the package"):
        option.build(Box(-1, 1, (4,)), None, LEARNERS, CPU)
