"""Compiled environments and random numbers are those of Gymnasium and NumPy, to the last bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest

from pg_experiments.env import compiled as env
from pg_experiments.env.gymnasium import GymnasiumEnv
from pg_experiments.tensors import compiled_random as random
from pg_experiments.tensors.compiled import compiled
from pg_experiments.tensors.streams import Purpose, episode_seeds, numpy_stream, stream_words

SEEDS = [0, 1, 7, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**40 + 7, 2**63, 2**64 - 1]
SEEDS += [int(seed) for seed in np.random.default_rng(0).integers(0, 2**63, 100)]
LARGER = [2**64, 2**70 + 3, 2**100 + 2**40, 2**127 - 1]


@compiled("uint64[::1]", "int64", "uint64[::1]", "float32[::1]", "uint64[:, ::1]", helpers=random.HELPERS)
def sfc64(entropy, words, raw, uniform, halves):
    pool, state = np.empty(4, dtype=np.uint64), np.empty(4, dtype=np.uint64)
    random.seed_sfc64(entropy, words, pool, state)
    random.pool_halves(pool, halves)
    random.fill_raw(state, raw)
    random.fill_uniform(state, uniform)


@compiled("uint64", "float64", "float64", "float64[::1]", helpers=random.HELPERS)
def pcg64(seed, low, high, numbers):
    pool, state = np.empty(4, dtype=np.uint64), np.empty(4, dtype=np.uint64)
    random.seed_pcg64(seed, pool, state)
    for i in range(len(numbers)):
        numbers[i] = random.next_between(state, low, high)


@compiled("int64", "uint64", "float64[::1]", "float32[::1]", helpers=env.HELPERS)
def reset(kind, seed, state, observation):
    pool, generator = np.empty(4, dtype=np.uint64), np.empty(4, dtype=np.uint64)
    env.reset(kind, seed, state, pool, generator)
    env.observe(kind, state, True, observation)


@compiled(
    "int64", "float64[::1]", "float64[::1]", "int64", "float32[::1]", "float32[::1]",
    returns="Tuple((float64, boolean))", helpers=env.HELPERS,
)  # fmt: skip
def step(kind, constants, state, action, vector, observation):
    reward, terminated = env.step(kind, constants, state, action, vector)
    env.observe(kind, state, False, observation)
    return reward, terminated


@pytest.mark.parametrize("purpose", [Purpose.ACTIONS, Purpose.DROPOUT])
def test_a_compiled_stream_has_the_numbers_of_numpys_for_every_seed(purpose):
    for update, seed in enumerate(SEEDS + LARGER):
        entropy = np.array(stream_words(seed), dtype=np.uint64)
        entropy[1:3] = purpose, update
        raw, uniform = np.empty(33, dtype=np.uint64), np.empty(34, dtype=np.float32)
        sfc64(entropy, len(entropy), raw, uniform, np.empty((1, 1), dtype=np.uint64))
        stream = numpy_stream(seed, purpose, update)
        assert np.array_equal(raw, stream.bit_generator.random_raw(33))
        assert np.array_equal(uniform, stream.random(34, dtype=np.float32))


def test_words_after_a_learners_own_do_not_count():
    """Learners with longer seeds make the array longer."""
    entropy = np.array([5, Purpose.ACTIONS, 2, 99, 99], dtype=np.uint64)
    raw = np.empty(4, dtype=np.uint64)
    sfc64(entropy, 3, raw, np.empty(0, dtype=np.float32), np.empty((0, 1), dtype=np.uint64))
    assert np.array_equal(raw, numpy_stream(5, Purpose.ACTIONS, 2).bit_generator.random_raw(4))


def test_compiled_seeds_of_episodes_are_those_of_the_streams():
    for seed in SEEDS + LARGER:
        entropy = np.array(stream_words(seed), dtype=np.uint64)
        entropy[1:3] = Purpose.ENVIRONMENT, 3
        seeds = np.zeros((9, 2), dtype=np.uint64)
        sfc64(entropy, len(entropy), np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.float32), seeds)
        assert seeds[:, 0].tolist() == episode_seeds(seed, 3, 9)


def test_a_compiled_generator_has_the_numbers_of_numpys_for_every_seed_of_64_bits():
    for seed in SEEDS:
        numbers = np.empty(200)
        pcg64(np.uint64(seed), -0.6, -0.4, numbers)
        assert np.array_equal(numbers, np.random.default_rng(seed).uniform(-0.6, -0.4, 200))


class Compiled:
    """An environment as compiled functions, with the API of Gymnasium."""

    def __init__(self, form: env.CompiledForm, inputs: int) -> None:
        self.form = form
        self.constants = np.array(form.constants, dtype=np.float64)
        self.state = np.zeros(form.state_size)
        self.observation = np.zeros(inputs, dtype=np.float32)
        self.steps = 0

    def reset(self, seed: int) -> np.ndarray:
        reset(self.form.kind, np.uint64(seed), self.state, self.observation)
        self.steps = 0
        return self.observation

    def step(self, action: int | np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        number, vector = (0, action) if isinstance(action, np.ndarray) else (int(action), np.empty(0, dtype=np.float32))
        reward, terminated = step(self.form.kind, self.constants, self.state, number, vector, self.observation)
        self.steps += 1
        return self.observation, reward, terminated, self.steps >= self.form.max_episode_steps


def option(id: str, max_episode_steps: int | None = None) -> GymnasiumEnv:
    return GymnasiumEnv(
        id=id, threshold=None, window=1, max_episodes=1, max_steps=None, max_episode_steps=max_episode_steps
    )


@cache
def form_of(id: str, max_episode_steps: int | None = None) -> env.CompiledForm | None:
    return option(id, max_episode_steps).make([0], 1).compiled_form


def played(id: str, count: int, max_episode_steps: int | None, act: Any) -> list[int]:
    """Plays both for `count` steps, and compares everything. Returns the lengths of episodes."""
    theirs = option(id, max_episode_steps).single()
    ours = Compiled(form_of(id, max_episode_steps), theirs.observation_space.shape[0])
    lengths, length, is_over = [], 0, True
    for _ in range(count):
        if is_over:
            seed = len(lengths)
            observation, _ = theirs.reset(seed=seed)
            assert np.array_equal(ours.reset(seed), observation)
        action = act(observation)
        observation, reward, terminated, truncated, _ = theirs.step(action)
        result = ours.step(action)
        assert np.array_equal(result[0], observation)
        assert result[1:] == (reward, terminated, truncated)
        state = np.atleast_1d(theirs.unwrapped.state)
        assert np.array_equal(ours.state[: len(state)], state)
        length, is_over = length + 1, terminated or truncated
        if is_over:
            lengths.append(length)
            length = 0
    return lengths


def random_action(rng: np.random.Generator, actions: gymnasium.Space[Any]) -> Any:
    """An action of a `Discrete` space, or one of a `Box` that is often at a bound."""
    if isinstance(actions, gymnasium.spaces.Discrete):
        return rng.integers(actions.n)
    return (actions.high * np.clip(rng.normal(size=actions.shape), -1, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("id", "count", "limit"),
    [
        ("CartPole-v1", 200_000, None),
        ("CartPole-v1", 2_000, 9),
        ("CartPole-v0", 2_000, None),
        ("Acrobot-v1", 20_000, None),
        ("Acrobot-v1", 500, 30),
        ("MountainCar-v0", 20_000, None),
        ("pg/CartPoleMasked-v1", 20_000, None),
        ("pg/ShortCorridor-v0", 20_000, None),
        ("pg/ShortCorridor-v0", 2_000, 9),
        ("Pendulum-v1", 20_000, None),
        ("MountainCarContinuous-v0", 20_000, None),
        ("MountainCarContinuous-v0", 2_000, 9),
    ],
)
def test_a_compiled_environment_moves_as_gymnasiums_does_to_the_last_bit(id, count, limit):
    rng, actions = np.random.default_rng(1), option(id).spaces()[1]
    lengths = played(id, count, limit, lambda _: random_action(rng, actions))
    assert len(lengths) > 1
    assert max(lengths) <= (limit or gymnasium.spec(id).max_episode_steps)


@pytest.mark.parametrize(
    "id",
    [
        *("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "pg/CartPoleMasked-v1"),
        *("Pendulum-v1", "MountainCarContinuous-v0"),
    ],
)
def test_the_first_observation_is_that_of_gymnasium_for_every_seed(id):
    theirs = option(id).single()
    ours = Compiled(form_of(id), theirs.observation_space.shape[0])
    for seed in [*SEEDS, *range(5_000)]:
        assert np.array_equal(ours.reset(seed), theirs.reset(seed=seed)[0])


def test_episodes_that_reach_the_goal_or_the_time_limit_end_as_gymnasiums_do():
    """Random play reaches neither."""
    balance = played("CartPole-v1", 3_000, None, lambda o: np.int64(o[2] + o[3] > 0))
    assert 500 in balance
    rock = played("MountainCar-v0", 3_000, None, lambda o: np.int64(2 * (o[1] > 0)))
    assert max(rock) < 200
    swing = played("Acrobot-v1", 3_000, None, lambda o: np.int64(2 * (o[5] > 0)))
    assert min(swing) < 500
    push = played("MountainCarContinuous-v0", 3_000, None, lambda o: np.float32([1 if o[1] > 0 else -1]))
    assert max(push) < 200


def test_only_known_environments_without_settings_have_a_compiled_form():
    assert form_of("CartPole-v1").max_episode_steps == 500
    assert form_of("CartPole-v1", 7).max_episode_steps == 7
    assert option("Acrobot-v1").make([0], 1).compiled_form.kind == env.ACROBOT
    gymnasium.register("BartoPole-v1", "gymnasium.envs.classic_control.cartpole:CartPoleEnv",
                       kwargs={"sutton_barto_reward": True}, max_episode_steps=9)  # fmt: skip
    gymnasium.register("OtherPole-v1", "elsewhere:CartPoleEnv", max_episode_steps=9)
    for id in ("BartoPole-v1", "OtherPole-v1", "FrozenLake-v1"):
        assert env.compiled_form(gymnasium.spec(id), 9) is None
        gymnasium.registry.pop(id) if "Pole" in id else None
