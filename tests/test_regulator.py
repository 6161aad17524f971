"""A Gaussian policy learns the optimal gains of a linear-quadratic problem."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

from pg_experiments.collect import EpisodeCollector
from tests.conftest import make_run
from tests.regulator import ManyRegulators, Regulator, optimal_gains

EPISODES, UPDATES = 1000, 120
COMMON = (
    *("env=gymnasium", "env.id=Regulator-v0", "collect=episodes", "collect.episodes=1"),
    *("policy=linear", "policy.bias=false", "policy.initial_std=0.4", "policy.min_std=0.3", "policy.max_std=0.5"),
    *("optimizer.learning_rate=0.05", "optimizer.schedule=linear", "optimizer.final_fraction=0.02"),
    *("optimizer.max_grad_norm=null", "baseline=value", "baseline.learning_rate=0.01", "baseline.steps=2"),
)
ALGORITHMS = {
    "reinforce": ("normalization=none",),
    "a2c": ("algorithm=a2c", "algorithm.entropy_bonus=0", "algorithm.discount=1", "returns.gae_lambda=0.9"),
}


def test_the_optimal_gains_are_ratios_of_fibonacci_numbers():
    assert optimal_gains() == pytest.approx([8 / 13, 3 / 5, 1 / 2])


def test_many_regulators_move_as_one_does():
    one, many = Regulator(), ManyRegulators(1)
    first, _ = one.reset(seed=3)
    assert np.array_equal(many.reset(seed=[3], options={})[0][0], first)
    for action in np.float32([[0.5], [-1.0], [0.2]]):
        ours, theirs = many.step(action[None]), one.step(action)
        assert np.array_equal(ours[0][0], theirs[0])
        assert (ours[1][0], ours[2][0]) == (pytest.approx(theirs[1], rel=1e-6), theirs[2])
    assert "Regulator-v0" in gymnasium.registry


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_gaussian_policy_learns_the_riccati_gain_of_every_step_to_2_percent(algorithm):
    agent = make_run(*COMMON, *ALGORITHMS[algorithm]).agent
    settings = {"episodes": EPISODES, "device": torch.device("cpu"), "keep_graph": False}
    collector = EpisodeCollector(ManyRegulators(EPISODES), agent.policy, seeds=[0], **settings)
    for update in range(UPDATES):
        agent.learn(collector.collect(update, np.arange(1)), torch.full((1,), update / UPDATES))
    (weights,) = agent.policy.network.network.weights
    gains = -weights.detach()[0, :, 0].numpy()
    assert np.abs(gains / np.array(optimal_gains()) - 1).max() < 0.02, gains
