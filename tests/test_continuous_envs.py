"""The named environments of Gymnasium with continuous actions, and those of its extras."""

from __future__ import annotations

import math
from importlib.util import find_spec

import gymnasium
import numpy as np
import pytest

from pg_experiments.env import names
from pg_experiments.env.gymnasium import GymnasiumEnv
from pg_experiments.run.config import check
from pg_experiments.support.errors import UserError
from tests.conftest import composed, make_run

ENVIRONMENTS = {
    "pendulum": ("Pendulum-v1", None),
    "mountaincar_continuous": ("MountainCarContinuous-v0", None),
    "lunarlander": ("LunarLander-v3", "Box2D"),
    "lunarlander_continuous": ("LunarLanderContinuous-v3", "Box2D"),
    "bipedalwalker": ("BipedalWalker-v3", "Box2D"),
    "halfcheetah": ("HalfCheetah-v5", "mujoco"),
    "hopper": ("Hopper-v5", "mujoco"),
    "walker2d": ("Walker2d-v5", "mujoco"),
    "ant": ("Ant-v5", "mujoco"),
    "inverted_pendulum": ("InvertedPendulum-v5", "mujoco"),
    "reacher": ("Reacher-v5", "mujoco"),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_named_environment_has_the_registered_threshold_and_no_other_limit_than_steps(name):
    id, _ = ENVIRONMENTS[name]
    env = check(composed(f"env={name}")).env
    registered = gymnasium.spec(id).reward_threshold
    assert (env.id, env.max_episodes) == (id, None)
    assert env.max_steps is not None
    assert env.solved_at == (math.inf if registered is None else registered)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_named_environment_is_played_by_the_head_of_its_actions(name):
    id, module = ENVIRONMENTS[name]
    if module is not None and find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    run = make_run(f"env={name}", "env.max_episode_steps=5", "collect.episodes=1")
    rollout = run.collector.collect(0, np.arange(1))
    space = gymnasium.make(id).action_space
    assert rollout.actions.shape[3:] == space.shape
    assert rollout.actions.is_floating_point() == isinstance(space, gymnasium.spaces.Box)
    assert rollout.rewards.isfinite().all()


def test_an_environment_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr(names, "find_spec", lambda _: None)

    def make(*_, **__):
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed")

    monkeypatch.setattr(gymnasium, "make", make)
    env = check(composed("env=hopper")).env
    assert isinstance(env, GymnasiumEnv)
    with pytest.raises(UserError, match=r"env\.id=Hopper-v5: needs .*: pip install 'pg-experiments\[mujoco\]'"):
        env.single()


@pytest.mark.skipif(find_spec("mujoco") is None, reason="mujoco is not installed")
def test_warnings_of_mujoco_are_shown_once_and_write_no_file(tmp_path, monkeypatch, capfd):
    import mujoco

    monkeypatch.chdir(tmp_path)
    env = check(composed("env=halfcheetah")).env
    assert isinstance(env, GymnasiumEnv)
    for made in (env.single(), env.single()):
        made.close()
    data = mujoco.MjData(model := made.unwrapped.model)
    data.qvel[:] = np.nan
    with pytest.warns(RuntimeWarning, match="MuJoCo: Nan, Inf or huge value in QVEL"):
        mujoco.mj_step(model, data)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
