"""env.observation=screens: grey screens as ale-py's own, in training, after a restore and in evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ale_py.vector_env import AtariVectorEnv

import pg_experiments
from pg_experiments.env.arcade import AUTORESET
from pg_experiments.env.grey import SIZE, STACKED
from pg_experiments.env.vector import StandingSyncVectorEnv
from pg_experiments.evaluation.episodes import play
from pg_experiments.evaluation.pictures import CAPTION, picture
from pg_experiments.support.errors import UserError
from tests.conftest import make_run, one_update
from tests.saved_runs import save_run

BREAKOUT = ("env=atari", "env.game=breakout", "env.observation=screens", "policy=cnn", "policy.network=small")
SHORT = ("env.max_frames=80", "env.repeat_action_probability=0.25")
PPO = (*BREAKOUT, *SHORT, "algorithm=ppo", "baseline=shared_value", "collect.num_envs=2", "collect.num_steps=16")


def test_screens_are_those_that_ale_py_scales_and_stacks_itself_to_one_grey_level():
    """The fire button and 600 steps of two frames; an episode ends with its fifth lost life."""
    run = make_run(*BREAKOUT, "env.noop_max=0", "env.frame_skip=2", "collect.episodes=1", "collect.unfinished=wait")
    settings = run.config.env
    theirs = AtariVectorEnv(
        "breakout", 1, frameskip=2, noop_max=0, repeat_action_probability=0.0, use_fire_reset=True, img_height=SIZE,
        img_width=SIZE, stack_num=STACKED, grayscale=True, maxpool=True, episodic_life=False, reward_clipping=False,
        max_num_frames_per_episode=settings.max_frames, autoreset_mode=AUTORESET,
    )  # fmt: skip
    ours = settings.single()
    shown, _ = ours.reset(seed=0)
    theirs.reset(seed=np.array([0]))
    assert shown.shape == (STACKED, SIZE, SIZE)
    assert (shown == shown[0]).all(), "the first screen counts four times"
    ends, since = 0, 0
    for action in np.random.default_rng(0).integers(4, size=600):
        shown, reward, terminated, truncated, _ = ours.step(int(action))
        expected, rewards, their_ends, _, _ = theirs.step(np.array([action]))
        assert (reward, terminated, truncated) == (rewards[0], their_ends[0], False)
        assert ours.observation_space.contains(shown)
        if terminated:
            ours.reset()
            ends, since = ends + 1, 0
        elif (since := since + 1) >= STACKED:  # ale-py puts black screens before the first
            assert np.abs(shown - expected[0].astype(np.float32)).max() <= 1
    assert ends


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_every_layer_of_a_convolutional_policy_learns_from_screens(num_seeds):
    run = make_run(*PPO, f"num_seeds={num_seeds}", "normalization.rewards=sign")
    assert isinstance(run.env, StandingSyncVectorEnv)
    assert run.env.action_names == ["NOOP", "FIRE", "RIGHT", "LEFT"]
    before = {name: tensor.clone() for name, tensor in run.agent.policy.network.state_dict().items()}
    one_update(run)
    after = run.agent.policy.network.state_dict()
    assert [name for name, tensor in before.items() if torch.equal(tensor, after[name])] == []


def test_after_a_restore_the_next_fragments_have_the_same_bits():
    run, again = make_run(*PPO), make_run(*PPO)
    run.collector.collect(0, np.arange(1))
    again.collector.restore(run.collector.state())
    ours, theirs = (each.collector.collect(1, np.arange(1)) for each in (run, again))
    for name in ("observations", "actions", "rewards", "terminated", "truncated"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    assert ours.truncated.any(), "the limit of frames ends episodes within a fragment"


def test_an_evaluation_keeps_no_screens_and_a_video_shows_the_game_alone(tmp_path):
    path = save_run(tmp_path / "run", *PPO, "env.max_steps=64")
    run = pg_experiments.load_run(path)
    played = play(run, 3, greedy=True)
    env, actions = run.make_env(render_mode="rgb_array"), []
    for seed in range(2):
        shown, _ = env.reset(seed=seed)
        assert picture(run.config.env, env.render(), shown, "a caption").shape == (CAPTION + 210, 160, 3)
        actions.append(run.policy(shown))
    assert len(played.lengths) == 3
    assert played.lengths.max() <= 20
    assert set(actions) <= {0, 1, 2, 3}


def test_observations_that_are_not_kept_change_no_return():
    masked = ("env=cartpole_masked", "policy=gru", "collect.episodes=3")  # played by the collector of all environments
    run, other = make_run(*masked), make_run(*masked)
    other.collector.keep_observations = False
    ours, theirs = (each.collector.collect(0, np.arange(1)) for each in (run, other))
    assert torch.equal(ours.episodic_returns, theirs.episodic_returns)
    assert torch.equal(ours.lengths, theirs.lengths)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("env=pong", "env.observation=screens"), r"env\.return_ends=point: with env\.observation=screens .* episode"),
        (("env=atari", "policy=cnn"), r"policy=cnn with env\.observation=differences: .* env\.observation=screens"),
    ],
)
def test_what_does_not_fit_screens_is_said_in_one_line(overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        make_run(*overrides)
    assert "\n" not in str(caught.value)


UNUSED = {
    "env.stride=4": "env.observation=screens",
    "env.background=[1]": "env.observation=screens",
    "env.num_envs=4": "collect=steps, which has collect.num_envs",
}


@pytest.mark.parametrize("override", UNUSED)
def test_a_key_that_was_set_by_hand_and_has_no_effect_is_refused_in_one_line(override):
    key = override.partition("=")[0]
    with pytest.raises(UserError, match=f"^{key}: has no effect with {UNUSED[override]}; leave it out$"):
        pg_experiments.compose(*PPO, override)
    assert pg_experiments.compose(*PPO)["env.stride"] == 2
    assert pg_experiments.compose(*BREAKOUT[:2], override)[key] is not None
