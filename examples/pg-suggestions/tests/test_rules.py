"""Rules earn what they should, in files that they were not fitted to."""

import numpy as np
import pytest

import pg_suggestions  # noqa: F401
from pg_suggestions.environment import EPISODE_LENGTH, Suggestions
from pg_suggestions.features import FEATURES
from pg_suggestions.proposals import Proposals, proposals, stretches
from pg_suggestions.rules import THRESHOLD, always, calibrated, logistic, never
from pg_suggestions.scores import Scores, score


def made_up(probabilities: np.ndarray, accepted: np.ndarray) -> Proposals:
    features = np.zeros((len(accepted), len(FEATURES)), np.float32)
    features[:, FEATURES.index("probability")] = probabilities
    return Proposals(features, accepted, np.array([0, len(accepted)]))


def test_showing_pays_above_a_quarter():
    assert THRESHOLD == 0.25


@pytest.mark.parametrize("fit", [calibrated, logistic])
def test_a_fitted_rule_shows_what_is_accepted_more_often_than_the_threshold(fit):
    """The model claims 0.2, 0.5 and 0.8 where 5, 20 and 60 % are accepted; only the last is above 25 %."""
    rng = np.random.default_rng(0)
    claims = np.repeat([0.2, 0.5, 0.8], 4000)
    data = made_up(claims, rng.random(12000) < np.repeat([0.05, 0.2, 0.6], 4000))
    shown = fit(data)(data.features)
    assert not shown[:8000].any()
    assert shown[8000:].all()


def test_the_calibrated_rule_beats_always_and_never_in_files_of_its_own():
    rule = score(calibrated(proposals("training")))
    assert rule.advantage(score(always)).low > 0
    assert rule.advantage(score(never)).low > 0


def test_all_features_tell_more_than_the_models_probability():
    training = proposals("training")
    assert score(logistic(training)).advantage(score(calibrated(training))).low > 0


def test_a_score_is_what_the_environment_pays():
    rule = calibrated(proposals("training"))
    env, scores = Suggestions("evaluation"), score(rule)
    starts = stretches("evaluation", EPISODE_LENGTH, EPISODE_LENGTH).tolist()
    compared = 0
    for seed in range(2000):
        observation, _ = env.reset(seed=seed)
        if env.position not in starts:
            continue
        episode, returned, shown, done = starts.index(env.position), 0.0, 0, False
        while not done:
            action = int(rule(observation[None])[0])
            observation, earned, _, done, _ = env.step(action)
            returned, shown = returned + earned, shown + action
        assert scores.rewards[episode] == returned
        assert scores.shown[episode] == shown
        compared += 1
    assert compared >= 5


def test_episodes_of_a_score_share_no_proposal():
    starts = stretches("evaluation", EPISODE_LENGTH, EPISODE_LENGTH)
    assert len(starts) > 500
    assert (np.diff(starts) >= EPISODE_LENGTH).all()


def test_several_rules_are_averaged_episode_by_episode():
    both, one, other = score(always, never), score(always), score(never)
    assert np.allclose(both.rewards, (one.rewards + other.rewards) / 2)
    assert other.rewards.tolist() == [0] * len(other.rewards)
    assert np.isnan(other.acceptance().value)


def test_an_interval_covers_the_mean_about_as_often_as_it_says():
    """200 samples of 40 episodes. Where the coverage is 0.93, as a bootstrap's then is, the test fails once in 2000."""
    rng = np.random.default_rng(0)
    shown = np.full(40, 128.0)
    intervals = [Scores(shown, rng.normal(60, 10, 40)).reward() for _ in range(200)]
    covered = np.mean([low <= 60 - 128 / 4 <= high for _, low, high in intervals])
    assert 0.86 < covered < 0.99
