"""Observations of every kind of Gymnasium's spaces, as arrays: in training, in a single environment, and loaded."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import pg_experiments
from pg_experiments.env.gymnasium import GymnasiumEnv
from pg_experiments.support.errors import UserError
from tests.conftest import make_run, one_update
from tests.saved_runs import save_run

SPACES = {
    "Dict": spaces.Dict(
        {
            "position": spaces.Box(-1, 1, (2,), np.float64),
            "screen": spaces.Box(0, 255, (4, 5, 3), np.uint8),
            "goal": spaces.Discrete(3),
        }
    ),
    "Bits": spaces.MultiBinary(4),
    "Numbers": spaces.MultiDiscrete([2, 3]),
    "One": spaces.Box(-5, 5, (), np.int64),
    "Lists": spaces.Sequence(spaces.Discrete(2)),
}


class Random(gymnasium.Env[Any, Any]):
    """Random observations of a space; an episode ends after 5 steps."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.observation_space = space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self.observation_space.sample(), float(action), self.steps == 5, False, {}


@pytest.fixture(autouse=True)
def registered():
    for name, space in SPACES.items():
        gymnasium.register(f"Test{name}-v0", entry_point=lambda space=space: Random(space), max_episode_steps=10)
    yield
    for name in SPACES:
        del gymnasium.registry[f"Test{name}-v0"]


def environment(id: str, keys: list[str] | None = None) -> GymnasiumEnv:
    return GymnasiumEnv(id, None, 1, None, 100, 10, keys)


@pytest.mark.parametrize(
    ("id", "keys", "shape"),
    [
        ("FrozenLake-v1", None, (16,)),
        ("Blackjack-v1", None, (32 + 11 + 2,)),
        ("TestBits-v0", None, (4,)),
        ("TestNumbers-v0", None, (5,)),
        ("TestOne-v0", None, (1,)),
        ("TestDict-v0", None, (3 + 2 + 60,)),
        ("TestDict-v0", ["position", "goal"], (5,)),
        ("TestDict-v0", ["goal"], (3,)),
        ("TestDict-v0", ["screen"], (4, 5, 3)),
    ],
)
def test_observations_are_the_flattened_ones_of_gymnasium(id, keys, shape):
    """A `Dict` is flattened in the order of its keys' names; an image keeps its shape."""
    option = environment(id, keys)
    raw, single, vector = gymnasium.make(id, max_episode_steps=10), option.single(), option.make([0], 2)
    seed = 3
    (expected, _), (ours, _) = raw.reset(seed=seed), single.reset(seed=seed)
    many, _ = vector.reset(seed=[seed, seed + 1], options={"reset_mask": np.ones(2, dtype=np.bool_)})
    space = raw.observation_space
    if keys is not None:
        space = spaces.Dict({key: space[key] for key in keys})
        expected = {key: expected[key] for key in keys}
    flat = np.asarray(spaces.flatten(space, expected), dtype=np.float32)
    assert single.observation_space.shape == vector.single_observation_space.shape == shape
    assert np.issubdtype(single.observation_space.dtype, np.floating)
    assert many.dtype == np.float32
    assert np.array_equal(np.ravel(ours).astype(np.float32), flat)
    assert np.array_equal(many[0].ravel(), flat)


@pytest.mark.parametrize("collect", ["episodes", "steps"])
def test_a_run_learns_from_one_hot_states_and_from_images(collect):
    fragments = ("algorithm=ppo", "collect.num_envs=2", "collect.num_steps=8", "baseline.hidden=4")
    common = ("env=gymnasium", "policy.hidden=4", *(fragments if collect == "steps" else ()))
    run = make_run(*common, "env.id=FrozenLake-v1", "normalization.observations=bounds")
    assert one_update(run)["policy_gradient_norm"].isfinite().all()
    seen = run.collector.collect(1, np.arange(1)).observations
    assert seen.shape[3:] == (16,)
    assert (seen.sum(-1) == 1).all()
    images = make_run(
        *common, "env.id=TestDict-v0", "env.observation_keys=[screen]", "normalization.observations=bounds"
    )
    assert one_update(images)["policy_gradient_norm"].isfinite().all()
    assert images.agent.policy.network.scale.affine.factor.unique().tolist() == pytest.approx([1 / 255])


def test_a_saved_run_acts_on_flattened_observations(tmp_path):
    overrides = ("env=gymnasium", "env.id=Blackjack-v1", "env.max_episode_steps=20", "policy.hidden=4")
    loaded = pg_experiments.load_run(save_run(tmp_path / "run", *overrides, "env.max_episodes=8", "collect.episodes=4"))
    observation, _ = loaded.make_env().reset(seed=0)
    assert observation.sum() == 3  # one-hot for the sum, the dealer's card and the ace
    assert loaded.policy(observation) in (0, 1)


@pytest.mark.parametrize(
    ("id", "keys", "message"),
    [
        ("TestDict-v0", ["positon"], "have no positon; the nearest is position"),
        ("TestDict-v0", ["goal", "goal"], "expected distinct keys, at least one, or null"),
        ("TestDict-v0", [], "expected distinct keys, at least one, or null"),
        ("CartPole-v1", ["position"], "of CartPole-v1 are Box, and only a Dict has keys; the nearest is null"),
        ("TestLists-v0", None, "env.id=TestLists-v0: its observations are Sequence, which have no fixed size"),
    ],
)
def test_observations_that_cannot_be_are_refused_in_one_line(id, keys, message):
    with pytest.raises(UserError, match=message):
        environment(id, keys).spaces()
