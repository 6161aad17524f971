"""Fragments that are played in the compiled loop are those that are played through Gymnasium."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pg_experiments.collect import CompiledStepsCollector, StepsCollector
from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from tests.conftest import make_run
from tests.test_compiled_play import assert_same

COMMON = ("algorithm=a2c", "collect.num_envs=3", "collect.num_steps=37", "policy.hidden=8")
ENVIRONMENTS = {
    "cartpole": ("policy.dropout=0.3",),
    "cartpole_short": ("env.max_episode_steps=11", "policy.head=bernoulli"),  # truncated, and terminated
    "acrobot": ("env=acrobot", "env.max_episode_steps=30"),
    "recurrent": ("env=cartpole_masked", "env.max_episode_steps=23", "policy=gru", "baseline=shared_value"),
    "mountain_car": ("env=gymnasium", "env.id=MountainCar-v0", "env.max_episode_steps=13"),
}


def through_gymnasium(run: Run) -> StepsCollector:
    return StepsCollector(
        run.env,
        run.agent.policy,
        seeds=run.learners.seeds,
        num_envs=3,
        num_steps=37,
        device=torch.device("cpu"),
        keep_graph=False,
    )


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_fragment_is_the_one_that_is_played_through_gymnasium(environment, seeds):
    """Also what is counted of finished episodes, and after a learner has stopped."""
    run = make_run(*COMMON, *ENVIRONMENTS[environment], f"num_seeds={seeds}")
    theirs = through_gymnasium(run)
    assert isinstance(run.collector, CompiledStepsCollector)
    finished = 0
    for update in range(6):
        active = np.arange(seeds) if update < 4 else np.array([seeds - 1])
        ours, expected = (collector.collect(update, active) for collector in (run.collector, theirs))
        assert_same(ours, expected)
        for x, y in zip(ours.games, expected.games, strict=True):
            assert torch.equal(x.returns, y.returns)
            assert torch.equal(x.lengths, y.lengths)
            finished += len(x.returns)
        run.learn(ours, active)
    assert finished > 3


EXPLORING = ("algorithm=sac", "collect.num_envs=3", "collect.num_steps=37", "policy.hidden=8", "algorithm.hold=5")
SPACES = {
    "Box": ("env=mountaincar_continuous",),
    "Discrete": ("env=cartpole", "policy.head=categorical", "env.max_episodes=null", "env.max_steps=9000"),
}


@pytest.mark.parametrize("space", SPACES)
def test_exploring_actions_are_uniform_and_held_as_they_are_through_gymnasium(space):
    """Up to the rounding of the inverse of tanh; then those of the policy."""
    run = make_run(*EXPLORING, *SPACES[space], "num_seeds=2", "algorithm.learning_starts=222", "algorithm.batch_size=8")
    theirs = through_gymnasium(run)
    assert isinstance(run.collector, CompiledStepsCollector)
    for update, is_random in enumerate((True, True, False)):
        assert run.agent.head.is_random == is_random
        ours, expected = (collector.collect(update, np.arange(2)) for collector in (run.collector, theirs))
        for name in ("observations", "actions", "rewards"):
            torch.testing.assert_close(getattr(ours, name), getattr(expected, name), rtol=1e-5, atol=1e-5)
        held = (ours.actions[1:5] == ours.actions[:4]).flatten(2).all()
        assert held == is_random
        run.learn(ours, np.arange(2))


def test_environments_go_on_from_a_state_as_if_nothing_had_happened():
    run, again = (make_run(*COMMON, "num_seeds=2") for _ in range(2))
    run.collector.collect(0, np.arange(2))
    again.collector.restore(run.collector.state())
    for update in (1, 2):
        assert_same(again.collector.collect(update, np.arange(2)), run.collector.collect(update, np.arange(2)))


def test_a_learner_that_has_stopped_goes_on_later_where_it_was():
    run, other = (make_run(*COMMON, "num_seeds=2") for _ in range(2))
    run.collector.collect(0, np.arange(2))
    other.collector.collect(0, np.arange(2))
    run.collector.collect(1, np.array([1]))
    ours, expected = (r.collector.collect(2, np.array([0])) for r in (run, other))
    assert_same(ours, expected)


def test_the_state_of_environments_that_were_played_through_gymnasium_is_refused_in_one_line():
    run = make_run(*COMMON)
    theirs = through_gymnasium(run)
    theirs.collect(0, np.arange(1))
    with pytest.raises(UserError, match="played through Gymnasium"):
        run.collector.restore(theirs.state())
