"""The project's own environments: what they show, and that Gymnasium knows them."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from pg_experiments.env.corridor import LEFT, RIGHT
from tests.conftest import make_run

OWN = ("pg/ShortCorridor-v0", "pg/CartPoleMasked-v1")


@pytest.mark.parametrize("id", OWN)
def test_gymnasiums_checker_accepts_the_environment(id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinity.*")
        warnings.filterwarnings("ignore", message=".*render modes.*|.*pygame.*")
        check_env(gymnasium.make(id).unwrapped, skip_render_check=id != "pg/ShortCorridor-v0")


def test_an_import_of_the_envs_registers_them():
    code = f"import pg_experiments.env, gymnasium; print([gymnasium.make(id).spec.max_episode_steps for id in {OWN}])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["[1000,", "500]"]


def test_the_second_state_of_the_corridor_exchanges_the_actions():
    env = gymnasium.make("pg/ShortCorridor-v0")
    env.reset(seed=0)
    path = []
    for action in (LEFT, RIGHT, RIGHT, RIGHT, LEFT, LEFT, RIGHT, LEFT, RIGHT):
        observation, reward, terminated, truncated, _ = env.step(np.int64(action))
        path.append(env.unwrapped.state)
        assert (observation.tolist(), reward, truncated) == ([1.0], -1.0, False)
        assert terminated == (path[-1] == 3)
    assert path == [0, 1, 0, 1, 2, 1, 0, 0, 1]
    assert [env.step(np.int64(action))[2] for action in (LEFT, RIGHT)] == [False, True]


@pytest.mark.parametrize(("p", "value"), [(0.05, -82.1), (2 - 2**0.5, -11.66), (0.95, -44.2)])
def test_the_value_of_a_policy_on_the_corridor_is_that_of_the_book(p, value):
    """By solving v = −1 + P v; the book's figure has −82, −44 and −11.6."""
    moves = np.zeros((3, 3))
    env = gymnasium.make("pg/ShortCorridor-v0").unwrapped
    for state in range(3):
        for action, probability in ((LEFT, 1 - p), (RIGHT, p)):
            env.reset()
            env.state = state
            if not env.step(np.int64(action))[2]:
                moves[state, env.state] += probability
    assert np.linalg.solve(np.eye(3) - moves, -np.ones(3))[0] == pytest.approx(value, abs=0.05)
    assert -2 * (2 - p) / (p * (1 - p)) == pytest.approx(value, abs=0.05)


def test_the_masked_cartpole_is_cartpole_without_velocities():
    masked, whole = gymnasium.make("pg/CartPoleMasked-v1"), gymnasium.make("CartPole-v1")
    assert np.array_equal(masked.observation_space.high, whole.observation_space.high[[0, 2]])
    ours, theirs = masked.reset(seed=3)[0], whole.reset(seed=3)[0]
    for t in range(8):
        assert np.array_equal(ours, theirs[[0, 2]])
        action = np.int64(t % 2)
        (ours, *ours_after), (theirs, *theirs_after) = masked.step(action), whole.step(action)
        assert ours_after == theirs_after


@pytest.mark.parametrize("option", ["short_corridor", "cartpole_masked"])
def test_the_compiled_loop_plays_the_episodes_of_the_python_environment(option):
    arguments = (f"env={option}", "policy=linear", "policy.initialisation=torch", "num_seeds=3", "collect.episodes=4")
    compiled = make_run(*arguments).collector.collect(0, np.arange(3))
    python = make_run(*arguments, "algorithm.log_probs=stored").collector.collect(0, np.arange(3))
    assert compiled.mask.equal(python.mask)
    for name in ("observations", "actions", "rewards", "terminated", "truncated"):
        assert getattr(compiled, name)[python.mask].equal(getattr(python, name)[python.mask]), name
