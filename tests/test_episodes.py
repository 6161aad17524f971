"""Environments, the collector and the accounts: whole episodes, each used once, none of them mixed up."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AutoresetMode

from pg_experiments.collect import EpisodeCollector
from pg_experiments.env.gymnasium import GymnasiumEnv
from pg_experiments.env.vector import StandingCartPole
from pg_experiments.run.accounts import Accounts
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.streams import episode_seeds
from tests.conftest import make_run


def environment(id: str = "CartPole-v1", **changes) -> GymnasiumEnv:
    values = {"threshold": None, "window": 25, "max_episodes": 10, "max_steps": None, "max_episode_steps": None}
    return GymnasiumEnv(id=id, **{**values, **changes})


def test_our_cartpole_moves_as_gymnasiums_does_to_the_last_bit():
    ours, theirs = StandingCartPole(16), CartPoleVectorEnv(16)
    observations, _ = ours.reset(seed=list(range(16)))
    theirs.reset(seed=0)
    theirs.state = ours.state.copy()
    rng = np.random.default_rng(0)
    alive = np.ones(16, dtype=bool)
    for _ in range(200):
        actions = rng.integers(0, 2, 16)
        observations, rewards, terminated, truncated, _ = ours.step(actions)
        expected, expected_rewards, expected_terminated, expected_truncated, _ = theirs.step(actions)
        assert np.array_equal(observations[alive], expected[alive])
        assert np.array_equal(rewards[alive], expected_rewards[alive])
        assert np.array_equal(terminated[alive], expected_terminated[alive])
        assert np.array_equal(truncated[alive], expected_truncated[alive])
        alive &= ~terminated & ~truncated
    assert not alive.any()


@pytest.mark.parametrize("id", ["CartPole-v1", "Acrobot-v1", "pg/CartPoleMasked-v1"])
def test_an_episode_is_the_one_that_a_single_environment_plays_with_the_same_seed_and_actions(id):
    env, single = environment(id).make([0], 3), gymnasium.make(id)
    observations, _ = env.reset(seed=[5, 6, 7], options={"reset_mask": np.ones(3, dtype=bool)})
    rng = np.random.default_rng(1)
    script = rng.integers(0, int(env.single_action_space.n), (500, 3))
    seen, ends = [observations], []
    for actions in script:
        observations, _, terminated, truncated, _ = env.step(actions)
        seen.append(observations)
        ends.append((terminated, truncated))
    for index in range(3):
        expected, _ = single.reset(seed=5 + index)
        for t in range(500):
            np.testing.assert_allclose(seen[t][index], expected, rtol=1e-5, atol=1e-6)
            expected, _, terminated, truncated, _ = single.step(script[t, index])
            assert (ends[t][0][index], ends[t][1][index]) == (terminated, truncated)
            if terminated or truncated:
                break


@pytest.mark.parametrize("id", ["CartPole-v1", "Acrobot-v1"])
def test_who_has_finished_stands_still_until_reset_and_the_others_go_on(id):
    env = environment(id, max_episode_steps=5).make([0], 2)
    assert env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    env.reset(seed=[1, 2], options={"reset_mask": np.ones(2, dtype=bool)})
    for _ in range(5):
        final, _, _, truncated, _ = env.step(np.zeros(2, dtype=np.int64))
    assert truncated.all()
    standing, rewards, terminated, truncated, _ = env.step(np.ones(2, dtype=np.int64))
    assert np.array_equal(standing, final)
    assert not rewards.any()
    assert not terminated.any()
    assert not truncated.any()
    first, _ = env.reset(seed=[3, 4], options={"reset_mask": np.array([False, True])})
    assert np.array_equal(first[0], final[0])
    moved, *_ = env.step(np.ones(2, dtype=np.int64))
    assert np.array_equal(moved[0], final[0])
    assert not np.array_equal(moved[1], first[1])


def test_a_reset_of_some_poles_leaves_the_others_and_their_time_limit_alone():
    env = environment(max_episode_steps=6).make([1, 2], 1)
    env.reset(seed=[1, 2], options={"reset_mask": np.ones(2, dtype=bool)})
    ends = []
    for step in range(1, 10):
        _, _, _, truncated, _ = env.step(np.full(2, step % 2))
        ends.append(truncated.tolist())
        if step == 3:
            env.reset(seed=[1, 3], options={"reset_mask": np.array([False, True])})
    assert ends == [[step == 6, step == 9] for step in range(1, 10)]


def test_the_collector_refuses_an_environment_that_resets_itself():
    run = make_run()
    resetting = gymnasium.make_vec("CartPole-v1", num_envs=2)
    with pytest.raises(ValueError, match="AutoresetMode"):
        EpisodeCollector(
            resetting, run.agent.policy, seeds=[0], episodes=2, device=torch.device("cpu"), keep_graph=False
        )


REPLAYED = {
    "compiled": (),
    "step_by_step": ("algorithm.log_probs=stored",),
    "acrobot": ("env=acrobot", "env.max_episode_steps=60"),
    "bernoulli": ("policy.head=bernoulli",),
}


@pytest.mark.parametrize("overrides", REPLAYED.values(), ids=REPLAYED)
def test_the_accounts_agree_with_a_slow_single_environment(overrides):
    """Replays every episode of a batch with its seed and its actions in an environment of its own."""
    run = make_run("num_seeds=2", "collect.episodes=3", *overrides)
    rollout = run.collector.collect(4, np.arange(2))
    single = gymnasium.make(run.config.env.id, max_episode_steps=run.config.env.max_episode_steps)
    for r, seed in enumerate([0, 1]):
        for e, episode_seed in enumerate(episode_seeds(seed, 4, 3)):
            observation, _ = single.reset(seed=episode_seed)
            total, steps, ended = 0.0, 0, False
            while not ended:
                assert rollout.mask[steps, r, e]
                np.testing.assert_allclose(rollout.observations[steps, r, e], observation, rtol=1e-4, atol=1e-5)
                action = int(rollout.actions[steps, r, e])
                observation, reward, terminated, truncated, _ = single.step(action)
                total, steps, ended = total + float(reward), steps + 1, terminated or truncated
            assert not rollout.mask[steps:, r, e].any()
            assert (int(rollout.lengths[r, e]), float(rollout.episodic_returns[r, e])) == (steps, total)
            last = steps - 1
            assert (bool(rollout.terminated[last, r, e]), bool(rollout.truncated[last, r, e])) == (
                terminated,
                truncated,
            )
            assert not (rollout.terminated | rollout.truncated)[:last, r, e].any()
            assert not (rollout.terminated | rollout.truncated)[steps:, r, e].any()
            np.testing.assert_allclose(rollout.finals.observations[r, e], observation, rtol=1e-4, atol=1e-5)
            assert int(rollout.finals.positions[r, e]) == (last * 2 + r) * 3 + e


def test_a_cartpole_episode_of_500_steps_is_truncated_and_not_terminal():
    env = environment(max_episode_steps=None).make([0], 1)
    observations, _ = env.reset(seed=[0], options={"reset_mask": np.ones(1, dtype=bool)})
    for step in range(1, 501):
        x, x_dot, theta, theta_dot = observations[0]
        push = int(theta + 0.5 * theta_dot + 0.05 * x + 0.1 * x_dot > 0)  # keeps the pole up
        observations, _, terminated, truncated, _ = env.step(np.array([push]))
        assert not terminated[0]
        assert truncated[0] == (step == 500)


def test_a_truncated_episode_goes_on_with_its_value_and_a_terminated_one_does_not():
    run = make_run("baseline=value", "baseline.bootstrap=true", "normalization=none", "env.max_episode_steps=12")
    rollout = run.collector.collect(0, np.arange(1))
    assert rollout.truncated.any()
    values = run.agent.baseline.final_values(rollout)
    assert ((values != 0) == (rollout.truncated & ~rollout.terminated)).all()
    assert torch.equal(values != 0, rollout.cuts)
    returns, _, _ = run.agent.credit(rollout)
    last = rollout.lengths[0, 0] - 1
    expected = 1.0 + 0.99 * values[last, 0, 0]
    assert float(returns[last, 0, 0]) == pytest.approx(float(expected))


def test_the_quota_is_used_whole_and_in_its_own_order():
    accounts = Accounts([3], solved_at=10, window=3, quota=2, max_episodes=5, max_steps=None)
    accounts.add(np.array([0]), np.array([3]), [np.array([1.0, 2.0])])
    accounts.add(np.array([0]), np.array([34]), [np.array([30.0, 4.0])])
    (account,) = accounts.seeds
    assert account.returns == [1.0, 2.0, 30.0, 4.0]
    assert account.env_steps == 37
    assert account.episodes_to_solve == 3, "the window of 1, 2 and 30 reached 10 with the third episode"
    assert list(accounts.active) == []


def test_no_batch_goes_beyond_the_episode_limit_and_the_one_that_passes_the_step_limit_is_finished():
    accounts = Accounts([0, 1], solved_at=1e9, window=3, quota=2, max_episodes=5, max_steps=100)
    for _ in range(2):
        assert list(accounts.active) == [0, 1]
        accounts.add(np.array([0, 1]), np.array([2, 40]), [np.ones(2), np.ones(2)])
    assert list(accounts.active) == [], "a third batch of two would be a sixth episode"
    accounts = Accounts([0, 1], solved_at=1e9, window=3, quota=2, max_episodes=None, max_steps=100)
    for _ in range(3):
        accounts.add(np.array([1]), np.array([40]), [np.ones(2)])
    assert list(accounts.active) == [0]
    assert accounts.progress == [0.0, 1.0]


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("NoSuch-v0", "has no environment of this id"),
        ("CartPol-v1", "the nearest is CartPole-v1"),
        ("os:CartPole-v1", "has no environment of this id"),
        ("TestTexts-v0", "its actions are Text; supported are Box, Discrete, MultiDiscrete and MultiBinary"),
        ("TestEndless-v0", "has no time limit of its own"),
    ],
)
def test_an_environment_that_does_not_fit_says_what_does(id, message):
    class Endless(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

    class Texts(Endless):
        action_space = gymnasium.spaces.Text(3)

    gymnasium.register("TestTexts-v0", entry_point=lambda: Texts(), max_episode_steps=10)
    gymnasium.register("TestEndless-v0", entry_point=lambda: Endless())
    try:
        with pytest.raises(UserError, match=message):
            environment(id).make([0], 2)
    finally:
        for name in ("Texts", "Endless"):
            del gymnasium.registry[f"Test{name}-v0"]


def test_without_a_threshold_the_registered_one_counts():
    assert environment("CartPole-v1").solved_at == 475
    assert environment("MountainCar-v0").solved_at == -110
    assert environment("CartPole-v1", threshold=3.0).solved_at == 3.0
