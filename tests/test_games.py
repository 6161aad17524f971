"""What does not fit a game is said in one line, and one policy serves images and vectors."""

from __future__ import annotations

import pytest

from pg_experiments.support.errors import UserError
from tests.conftest import make_run, one_update


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("env=atari", "env.game=brakout"),
            r"ale-py has no game of this name; the nearest are breakout",
        ),
        (
            ("env=atari", "env.game=PongNoFrameskip-v4"),
            r"frame skip of its own .* set twice; use env\.game=pong",
        ),
        (("env=atari", "env.game=ALE/MsPacman-v5"), r"use env\.game=ms_pacman"),
        (("env.actions={DOWN:LEFT,UP:JUMP}",), r"env\.actions\.UP=JUMP: pong has no such action; it has FIRE, LEFT"),
        (("env.num_envs=161",), r"env\.num_envs=161: a batch has only collect\.points=160 points; .* 160"),
        (
            ("collect=episodes", "collect.episodes=10"),
            r"env\.num_envs=32: a batch has only collect\.episodes=10 episodes; the nearest is 10",
        ),
        (("env.return_ends=episode",), r"collect=points: with env\.return_ends=episode there are no points"),
        (("env=atari", "policy.head=bernoulli"), r"chooses between 2 actions, and this environment has 4"),
        (("normalization.returns=episode",), r"all returns of a point have one sign"),
        (("algorithm.log_probs=stored",), r"not for images"),
        (("env.top=100", "env.bottom=90"), r"env\.bottom=90: expected more than env\.top=100; the nearest is 101"),
        (
            ("env=cartpole", "collect=points"),
            r"collect=points: .* not for CartPole-v1; the nearest is collect=episodes",
        ),
        (("env=cartpole", "collect.unfinished=carry_over"), r"collect\.unfinished=carry_over: for games"),
        (("env=gymnasium", "env.id=PongNoFrameskip-v4"), r"seen as images; use env=atari env\.game=pong"),
    ],
)
def test_what_does_not_fit_a_game_is_said_in_one_line(overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        make_run("env=pong", *overrides)
    assert "\n" not in str(caught.value)


def test_a_missing_rom_is_said(monkeypatch, tmp_path):
    for directory in (tmp_path, tmp_path / "nowhere"):
        monkeypatch.setenv("ALE_ROMS_DIR", str(directory))
        with pytest.raises(UserError, match=r"env\.game=pong: its ROM cannot be read .* correct ALE_ROMS_DIR"):
            make_run("env=pong")


@pytest.mark.parametrize(
    "overrides", [("env=pong", "policy=linear"), ("policy.bias=false", "policy.activation=leaky_relu")]
)
def test_one_policy_serves_images_and_vectors(overrides):
    """There is no image policy to put on CartPole by mistake: a perceptron takes what the environment shows."""
    small = ("env.num_envs=2", "collect.points=2") if "env=pong" in overrides else ()
    learned = one_update(make_run(*overrides, *small))
    assert learned["policy_gradient_norm"].isfinite().all()
