"""The environment is one of Gymnasium's, and pays what the README says."""

import time

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import pg_suggestions  # noqa: F401  registers the environments
from pg_suggestions.environment import EPISODE_LENGTH, HIDE, SHOW, Suggestions, reward
from pg_suggestions.features import FEATURES
from pg_suggestions.proposals import proposals, stretches

TRAINING, EVALUATION = "pg_suggestions/Suggestions-v0", "pg_suggestions/SuggestionsEvaluation-v0"


def play(env: gymnasium.Env, seed: int, action: int = SHOW) -> tuple[np.ndarray, np.ndarray]:
    """Observations [T + 1, D] and rewards [T] of an episode in which every action is the same."""
    observation, _ = env.reset(seed=seed)
    observations, rewards, done = [observation], [], False
    while not done:
        observation, earned, terminated, truncated, _ = env.step(action)
        observations.append(observation)
        rewards.append(earned)
        done = terminated or truncated
    return np.array(observations), np.array(rewards)


@pytest.mark.parametrize(
    ("action", "accepted", "earned"), [(SHOW, True, 0.75), (SHOW, False, -0.25), (HIDE, True, 0), (HIDE, False, 0)]
)
def test_rewards_are_those_of_the_table(action, accepted, earned):
    assert reward(action, accepted) == earned


@pytest.mark.parametrize("part", ["training", "evaluation"])
def test_gymnasiums_own_check_passes(part):
    check_env(Suggestions(part), skip_render_check=True)


def test_an_episode_is_a_stretch_of_one_file_that_is_truncated():
    env = Suggestions("evaluation", length=50)
    made = proposals("evaluation")
    observations, rewards = play(env, seed=3)
    assert len(rewards) == 50
    (first,) = [
        start
        for start in stretches("evaluation", 50)
        if np.array_equal(made.features[start : start + 51], observations)
    ]
    assert np.searchsorted(made.files, first, "right") == np.searchsorted(made.files, first + 50, "right")
    assert rewards.tolist() == np.where(made.accepted[first : first + 50], 0.75, -0.25).tolist()
    assert env.step(HIDE)[2] is False, "nothing terminates"


def test_an_action_has_no_influence_on_what_is_observed():
    env = gymnasium.make(EVALUATION)
    shown, hidden = play(env, 5, SHOW), play(env, 5, HIDE)
    assert np.array_equal(shown[0], hidden[0])
    assert shown[1].any()
    assert not hidden[1].any()


def test_the_seed_chooses_the_episode():
    one, other = gymnasium.make(TRAINING), gymnasium.make(TRAINING)
    episodes = [play(one, seed)[0] for seed in range(20)]
    assert all(np.array_equal(play(other, seed)[0], episode) for seed, episode in enumerate(episodes))
    assert len({episode.tobytes() for episode in episodes}) == 20
    assert {len(episode) for episode in episodes} == {EPISODE_LENGTH + 1}


def test_an_observation_is_the_callers_own():
    env = Suggestions()
    observation, _ = env.reset(seed=0)
    observation[:] = 7
    assert env.reset(seed=0)[0].max() <= 1


def test_a_length_that_no_file_has_is_refused():
    with pytest.raises(ValueError, match="length=1000000"):
        Suggestions("evaluation", length=1_000_000)


def test_a_step_costs_less_than_30_microseconds():
    env = gymnasium.make(TRAINING)  # some 2 µs on an idle machine
    play(env, 0)
    costs = []
    for seed in range(50):
        start = time.thread_time()
        play(env, seed)
        costs.append((time.thread_time() - start) / EPISODE_LENGTH)
    assert np.median(costs) < 30e-6


@pytest.mark.parametrize("part", ["training", "evaluation"])
def test_features_are_finite_bounded_and_say_something(part):
    features = proposals(part).features
    assert features.dtype == np.float32
    assert features.shape[1] == len(FEATURES) == len(set(FEATURES))
    assert np.isfinite(features).all()
    assert (np.abs(features) <= 1).all()
    assert (features.std(0) > 0.02).all()
