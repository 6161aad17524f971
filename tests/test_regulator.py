"""A Gaussian policy and SAC learn the optimal gains of linear-quadratic problems."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

from pg_experiments.collect import EpisodeCollector
from tests.conftest import make_run
from tests.regulator import ManyRegulators, Regulator, bounded_gain, optimal_gains

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


# Tanh networks with one hidden layer fit quadratic functions well. A temperature of 0.05 keeps actions spread enough
# for the curvature of Q, and does not move the optimum of the mean action, as the spread costs the same in all states.
SEEDS, STEPS = 8, 120
SAC = (
    *("algorithm=sac", "env=gymnasium", "env.id=BoundedRegulator-v0", "env.max_steps=99999"),
    *("collect.num_envs=8", "collect.num_steps=8", "algorithm.learning_starts=300", "algorithm.gradient_steps=16"),
    *("algorithm.batch_size=128", "algorithm.alpha=0.05", "algorithm.discount=0.7", "algorithm.tau=0.05"),
    *("algorithm.critic_layers=1", "algorithm.critic_hidden=128", "algorithm.critic_activation=tanh"),
    *("policy.layers=1", "policy.hidden=16", "policy.activation=tanh"),
    *("optimizer.learning_rate=0.01", "optimizer.schedule=linear", "optimizer.final_fraction=0.02"),
)


@pytest.mark.by_hand
def test_sac_learns_the_riccati_gain_to_2_percent_as_a_mean_over_seeds():
    """Of the mean of the policy's actions in states from −0.8 to 0.8, by least squares."""
    run = make_run(*SAC, f"num_seeds={SEEDS}")
    for update in range(STEPS):
        run.agent.learn(run.collector.collect(update, np.arange(SEEDS)), torch.full((SEEDS,), update / STEPS))
    states = torch.linspace(-0.8, 0.8, 33).view(1, -1, 1).expand(SEEDS, -1, 1)
    quantiles = torch.special.ndtri((torch.arange(64) + 0.5) / 64)
    with torch.no_grad():
        before = run.agent.head.at(run.agent.policy.bind()(states))  # tanh
    actions = 2 * (before.mean + before.log_std.exp() * quantiles).tanh().mean(2, keepdim=True)
    gains = -(actions * states).sum((1, 2)) / states.square().sum((1, 2))
    assert float(gains.mean()) == pytest.approx(bounded_gain(0.7), rel=0.02), gains
