"""A run loaded from Python acts as it did in training, in the environment of its training."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import pg_experiments
from pg_experiments.env.screens import Crop
from pg_experiments.evaluation.loaded_run import LoadedRun
from pg_experiments.support.errors import UserError
from tests.conftest import REPOSITORY, make_run
from tests.saved_runs import SMALL_PONG, checkpoint_of, save_run, worse_in_the_end


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cartpole") / "run"
    overrides = ("num_seeds=3", "seed=4", "policy.hidden=16", "env.max_episodes=60", "policy.dropout=0.5")
    return worse_in_the_end(save_run(folder, *overrides))


@pytest.fixture(scope="module")
def pong(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("pong") / "run", *SMALL_PONG)


def logits_of(run: LoadedRun, observation: np.ndarray) -> torch.Tensor:
    """[K], without dropout, multiplied out by hand."""
    x = torch.from_numpy(observation.ravel())
    policy = run.learner(greedy=True)
    weights = [weight[0] for weight in policy.network.weights]
    biases = [bias[0, 0] for bias in policy.network.biases]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = (x @ weight + bias).relu()
    return (x @ weights[-1] + biases[-1]).detach()


def test_one_observation_gives_an_int_and_several_an_array_of_the_same_actions(cartpole, pong):
    for path in (cartpole, pong):
        run = pg_experiments.load_run(path)
        env = run.make_env()
        observations = [env.reset(seed=1)[0], *(env.step(t % 2)[0] for t in range(40))]
        actions = [run.policy(observation) for observation in observations]
        assert {type(action) for action in actions} == {int}
        together = run.policy(np.stack(observations))
        assert together.dtype == np.int64
        assert together.tolist() == actions


def test_greedy_is_the_most_probable_action_without_dropout(cartpole):
    run = pg_experiments.load_run(cartpole)
    observations = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    expected = [int(logits_of(run, observation).argmax()) for observation in observations]
    assert run.policy(observations).tolist() == expected
    assert len(set(expected)) == 2


@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_of_equally_probable_actions_greedy_takes_the_first(head):
    policy = make_run(f"policy.head={head}").agent.policy
    logits = torch.zeros(1, 5, policy.head.num_outputs)
    noise = policy.greedy().head.noise(torch.rand_like(logits))
    assert policy.greedy().head.sample(logits, noise).tolist() == [[0] * 5]


def test_sampling_draws_each_action_with_its_probability(tmp_path):
    """20,000 draws: a frequency that is off by 4 standard errors is a false alarm once in 16,000."""
    run = pg_experiments.load_run(save_run(tmp_path / "run", "env=acrobot", "env.max_episodes=2"))
    observation = np.full(6, 0.7, dtype=np.float32)
    expected = logits_of(run, observation).softmax(-1).numpy()
    actions = run.policy(np.tile(observation, (20_000, 1)), greedy=False)
    frequencies = np.bincount(actions, minlength=3) / len(actions)
    assert np.all(np.abs(frequencies - expected) < 4 * np.sqrt(expected * (1 - expected) / len(actions)))


def test_a_run_of_a_development_version_without_every_steps_is_loaded(cartpole, tmp_path):
    shutil.copytree(cartpole, tmp_path / "run")
    file = tmp_path / "run" / ".hydra" / "config.yaml"
    config = yaml.safe_load(file.read_text())
    del config["tracking"]["every_steps"]
    file.write_text(yaml.safe_dump(config))
    observations = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    actions = [pg_experiments.load_run(path).policy(observations) for path in (cartpole, tmp_path / "run")]
    assert actions[0].tolist() == actions[1].tolist()


def test_sampling_has_dropout_on_and_begins_anew_with_each_loading(cartpole):
    # far from balance, where the logits of the whole network leave no doubt
    observation = np.array([[2.0, 2.0, 0.2, 2.0]], dtype=np.float32).repeat(300, 0) * 50
    first, again = pg_experiments.load_run(cartpole), pg_experiments.load_run(cartpole)
    greedy, sampled = first.policy(observation), first.policy(observation, greedy=False)
    assert len(set(greedy)) == 1
    assert len(set(sampled)) == 2, "some masks leave units that decide otherwise"
    again.policy(observation)  # draws nothing
    assert np.array_equal(again.policy(observation, greedy=False), sampled)
    assert not np.array_equal(again.policy(observation, greedy=False), sampled)


def test_each_seed_has_its_own_parameters_the_best_the_last_or_those_of_a_file(cartpole):
    file = checkpoint_of(cartpole)
    content = torch.load(file, weights_only=True)
    best = content["best"]
    for which, state, updates in (
        ("best", best["policy"], best["update"].tolist()),
        ("last", content["agent"]["policy"], [30] * 3),
        (file, content["agent"]["policy"], [30] * 3),
    ):
        for learner, seed in enumerate((4, 5, 6)):
            run = pg_experiments.load_run(cartpole, checkpoint=which, seed=seed)
            assert (run.seed, run.seeds, run.update) == (seed, [4, 5, 6], updates[learner])
            for name, tensor in run.learner(greedy=False).state_dict().items():
                assert torch.equal(tensor[0], state[name][learner])
        assert pg_experiments.load_run(str(cartpole), checkpoint=which).seed == 4 + int(best["mean_return"].argmax())


def test_before_its_first_full_window_a_seeds_best_parameters_are_its_last(tmp_path):
    path = save_run(tmp_path / "run", "num_seeds=2", "env.max_episodes=6")
    last = torch.load(checkpoint_of(path), weights_only=True)["agent"]["policy"]
    run = pg_experiments.load_run(path)
    assert (run.seed, run.update) == (0, 3)
    assert all(torch.equal(tensor[0], last[name][0]) for name, tensor in run.learner(greedy=True).state_dict().items())


def test_cartpole_is_gymnasiums_own_with_the_runs_time_limit(tmp_path):
    run = pg_experiments.load_run(save_run(tmp_path / "run", "env.max_episodes=2", "env.max_episode_steps=7"))
    env = run.make_env()
    assert env.spec.id == "CartPole-v1"
    env.reset(seed=0)
    ends = [env.step(t % 2)[2:4] for t in range(7)]
    assert ends == [(False, False)] * 6 + [(False, True)]


GAMES = {
    "pong": ("env=pong",),
    "both screens": ("env=pong", "env.observation=frames"),
    "breakout": ("env=atari", "env.game=breakout"),
    "lives": ("env=atari", "env.game=space_invaders", "env.life_ends_episode=true"),
    "clipping": ("env=atari", "env.game=space_invaders", "env.reward_clipping=true"),
    "no skipped frame": ("env=atari", "env.game=breakout", "env.frame_skip=1", "env.stride=4", "env.top=20"),
    "a limit within a step": ("env=atari", "env.game=seaquest", "env.max_frames=402", "env.frame_skip=5"),
}


@pytest.mark.parametrize("overrides", GAMES.values(), ids=GAMES.keys())
def test_a_single_game_is_to_the_last_pixel_the_one_that_the_arcade_plays(overrides):
    """Without random starts and sticky actions nothing is random, and both do the same with the same actions."""
    run = make_run(*overrides, "policy.hidden=4", "env.noop_max=0", "env.num_envs=1")
    settings, actions, crop = run.config.env, run.env.actions, run.env.crop
    single, arcades = settings.single(), settings.make_emulators(1, 1)
    assert single.action_space.n == len(actions)
    screens, _ = arcades.reset(seed=np.array([3]))
    observation, _ = single.reset(seed=5)
    before, episodes, changed = foreground(screens, crop), 0, 0
    assert np.array_equal(observation, seen(before, before, crop))
    for action in np.random.default_rng(0).integers(len(actions), size=1500):
        screens, *theirs, _ = arcades.step(np.array([actions[action]]))
        observation, *ours, _ = single.step(action)
        assert ours == [part[0] for part in theirs]
        now = foreground(screens, crop)
        if any(ours[1:]):
            observation, _ = single.reset()
            before = now
            episodes += 1
        assert np.array_equal(observation, seen(before, now, crop))
        assert single.observation_space.contains(observation)
        changed += np.count_nonzero(before != now)
        before = now
    assert episodes > 0
    assert changed > 500


def seen(before: np.ndarray, now: np.ndarray, crop: Crop) -> np.ndarray:
    return now - before if crop.observation == "differences" else np.stack([now, before])


def foreground(screens: np.ndarray, crop: Crop) -> np.ndarray:
    return crop.foreground[screens[0, 0, crop.top : crop.bottom : crop.stride, :: crop.stride]].astype(np.float32)


@pytest.mark.parametrize("overrides", [("env=pong",), ("env=pong", "env.fire_on_reset=true")])
def test_a_single_game_begins_after_as_many_idle_frames_as_the_arcades_do(overrides):
    """Of the 4 numbers that are drawn, 40 resets miss one once in 20,000."""
    run = make_run(*overrides, "policy.hidden=4", "env.num_envs=1", "env.noop_max=4")
    env = run.config.env.single()
    ours = [env.reset(seed=seed)[1]["episode_frame_number"] for seed in (1, *[None] * 39)]
    _, info = run.config.env.make_emulators(40, 1).reset(seed=np.arange(40))
    assert set(ours) == set(info["episode_frame_number"].tolist())
    assert [env.reset(seed=seed)[1]["episode_frame_number"] for seed in (1, *[None] * 9)] == ours[:10]


def test_a_game_is_rendered_in_colour_at_its_own_speed(pong):
    env = pg_experiments.load_run(pong).make_env(render_mode="rgb_array")
    env.reset(seed=0)
    screen = env.render()
    assert screen.shape == (210, 160, 3)
    assert (screen == (92, 186, 92)).all(-1).any(), "the paddle is green"
    assert env.metadata["render_fps"] == 15, "60 frames a second, every fourth"


def test_an_observation_of_another_shape_is_refused(cartpole):
    run = pg_experiments.load_run(cartpole)
    with pytest.raises(ValueError, match=r"observation of shape \(5,\): expected \(4,\), or N of them: \(N, 4\)"):
        run.policy(np.zeros(5))


MISTAKES = [
    ({"path": "nowhere"}, "nowhere: no such directory$"),
    ({"path": "rum"}, "rum: no such directory; did you mean .*run"),
    ({"path": ""}, "is no run itself, but holds 1; choose one of them, such as .*run"),
    ({"seed": 3}, "seed=3: the run has the seeds 4 to 6; the nearest is 4"),
    ({"seed": 9}, "the nearest is 6"),
    ({"checkpoint": "update_8.pt"}, r"update_8\.pt: no such checkpoint$"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_a_mistake_is_one_line(cartpole, changes, message):
    arguments = {"path": "run", **changes}
    with pytest.raises(UserError, match=message) as caught:
        pg_experiments.load_run(cartpole.parent / arguments.pop("path"), **arguments)
    assert "\n" not in str(caught.value)


def test_importing_the_package_is_light_and_loading_a_run_needs_no_hydra(cartpole):
    script = (
        "import sys, pg_experiments;"
        "assert not {'torch', 'numpy', 'hydra', 'gymnasium', 'pydantic'} & set(sys.modules), sys.modules;"
        f"run = pg_experiments.load_run({str(cartpole)!r});"
        "run.policy(run.make_env().reset(seed=0)[0]);"
        "assert not {'hydra', 'omegaconf', 'tensorboard', 'rich', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_with_continuous_actions_gives_elements_of_its_space_and_no_probabilities(tmp_path):
    run = pg_experiments.load_run(save_run(tmp_path / "run", "env=pendulum", "env.max_steps=300"))
    env = run.make_env()
    observation, _ = env.reset(seed=1)
    for greedy in (True, False):
        action = run.policy(observation, greedy=greedy)
        assert env.action_space.contains(action)
        assert run.policy(np.stack([observation] * 3), greedy=greedy).shape == (3, 1)
    assert np.array_equal(run.policy(observation), run.policy(observation))
    with pytest.raises(pg_experiments.UserError, match="probabilities: expected Discrete actions"):
        run.probabilities(observation)
