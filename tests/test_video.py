"""Videos of a policy at play are what their names say: their pictures are decoded and looked at."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pg_experiments
from pg_experiments import evaluate
from pg_experiments.evaluation import progress, video
from pg_experiments.evaluation.episodes import AT_ONCE, play
from pg_experiments.evaluation.pictures import CAME, CAPTION, GAP, LARGER, NOTHING, STAYED, WENT, tones_of
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.streams import episode_seeds, evaluation_seed
from tests.saved_runs import SMALL_PONG, save_run

av = pytest.importorskip("av", reason="the extra [video] is not installed")
pytest.importorskip("pygame", reason="the extra [video] is not installed")
poster = importlib.import_module("docs.poster").poster


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("cartpole") / "run", "num_seeds=2", "env.max_episodes=40")


@pytest.fixture(scope="module")
def pong(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("pong") / "run", *SMALL_PONG, "env.max_frames=2000", "env.noop_max=0")


def pictures(file: Path) -> tuple[np.ndarray, float]:
    """[N, height, width, 3] as a player shows them, and how many it shows in a second."""
    with av.open(str(file)) as container:
        (stream,) = container.streams
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]), stream.average_rate


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has a colour, but for what compression does to it."""
    return np.abs(picture.astype(int) - colour).max(-1) < 40


def test_the_command_records_each_seed_in_each_way_and_names_files_after_their_returns(cartpole, capsys):
    evaluate.evaluate(evaluate.parse([f"run={cartpole}", "episodes=1", "video=true"]))
    files = sorted((cartpole / "videos").iterdir())
    said = capsys.readouterr().out
    assert [file.name.split("_return_")[0] for file in files] == [
        f"seed_{seed}_{way}" for seed in (0, 1) for way in ("greedy", "sampling")
    ]
    for file in files:
        assert f"videos/{file.name}" in said
        shown, per_second = pictures(file)
        assert len(shown) == int(file.stem.rpartition("_")[2]) + 1, "a reward of 1 for each step, and how it ended"
        assert per_second == 50
        assert shown.shape[1:] == (400 + CAPTION, 600, 3)
        cart = near(shown[0, CAPTION:], (0, 0, 0))
        assert 1000 < cart.sum() < 3000
        assert 250 < np.argwhere(cart)[:, 1].mean() < 350, "it begins in the middle"
        assert not np.array_equal(shown[0], shown[-1])


def test_a_gaussian_policy_is_recorded_and_a_greedy_file_has_the_return_that_was_evaluated(tmp_path):
    run = save_run(
        tmp_path / "run", "env=pendulum", "policy.hidden=8", "env.max_episodes=4", "env.max_episode_steps=20"
    )
    evaluate.evaluate(evaluate.parse([f"run={run}", "episodes=1", "video=true"]))
    greedy, sampling = sorted((run / "videos").iterdir())
    (seed,) = json.loads((run / "evaluation.json").read_text())["ways"]["greedy"]["seeds"]
    assert greedy.stem == f"seed_0_greedy_return_{round(seed['mean'], 2):.10g}"
    assert sampling.stem.startswith("seed_0_sampling_return_-")
    for file in (greedy, sampling):
        shown, _ = pictures(file)
        assert len(shown) == 20 + 1
        rod = near(shown[:, CAPTION:], (204, 77, 77))  # Gymnasium's colour
        assert rod.any((1, 2)).all()
        assert not np.array_equal(rod[0], rod[-1]), "it moves"


def test_progress_is_printed_at_intervals_though_nothing_is_a_terminal(cartpole, capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.005)
    evaluate.evaluate(evaluate.parse([f"run={cartpole}", "episodes=70", "video=true", "seed=1"]))
    lines = capsys.readouterr().err.splitlines()
    pattern = r"([12]) of 2: (seed 1, \w+|video of seed 1, \w+): (\d+) of (\d+) (episodes|steps \(estimated\)), \d+ s"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert all(found)
    parts = list(dict.fromkeys(match[2] for match in found))
    assert [part for part in parts if "video" in part] == ["video of seed 1, greedy", "video of seed 1, sampling"]
    counts = [int(match[3]) for match in found if match[2] == "video of seed 1, greedy"]
    assert counts == sorted(counts)
    assert len(set(counts)) > 1, "it moves"


def test_an_evaluation_tells_after_each_batch_how_many_episodes_are_done(cartpole):
    told = []
    play(pg_experiments.load_run(cartpole, seed=0), 2 * AT_ONCE + 1, greedy=True, done=told.append)
    assert told == [43, 86, 2 * AT_ONCE + 1]


def test_a_greedy_video_is_of_the_first_episode_that_is_evaluated(cartpole, tmp_path):
    run = pg_experiments.load_run(cartpole, seed=0)
    file = video.record(run, tmp_path, greedy=True, seconds=0.001)
    assert len(pictures(file)[0]) == 1
    assert file.name == f"seed_0_greedy_return_{play(run, 3, greedy=True).returns[0]:g}.mp4"


def test_tones_of_frames_say_what_came_went_and_stayed():
    now, before = np.array([[0, 1], [1, 0]]), np.array([[0, 1], [0, 1]])
    assert tones_of(np.stack([now, before])).tolist() == [[[*NOTHING], [*STAYED]], [[*CAME], [*WENT]]]


def test_pong_is_shown_in_colour_beside_what_the_policy_sees_of_it(pong):
    run = pg_experiments.load_run(pong)
    file = video.record(run, pong / "videos", greedy=True, seconds=6)
    shown, per_second = pictures(file)
    assert per_second == 15
    assert len(shown) == 6 * 15, "bounded, though the game of 500 steps was played to its end"
    assert int(file.stem.rpartition("_")[2]) < 0

    env = run.make_env(render_mode="rgb_array")
    observation, _ = env.reset(seed=episode_seeds(evaluation_seed(0), 0, 1)[0])
    found, right = np.zeros(2), np.zeros(2)
    for picture in shown:
        screen = picture[CAPTION : CAPTION + 210 * LARGER, : 160 * LARGER]
        exact = env.render().repeat(LARGER, 0).repeat(LARGER, 1).astype(int)
        assert np.abs(screen - exact).mean() < 4
        scale = run.config.env.stride * LARGER
        top, left = CAPTION + run.config.env.top * LARGER, 160 * LARGER + GAP
        seen = picture[top : top + 80 * scale, left : left + 80 * scale]
        middles = seen[scale // 2 :: scale, scale // 2 :: scale]
        for index, (tone, value) in enumerate(((CAME, 1), (WENT, -1))):
            found[index] += (observation == value).sum()
            right[index] += near(middles[observation == value], tone).sum()
        assert near(middles[observation == 0], NOTHING).mean() > 0.99
        observation, *_ = env.step(run.policy(observation))
    assert found.min() > 500
    assert (right / found > 0.9).all()


def test_a_recording_that_fails_leaves_no_file(pong, monkeypatch):
    run = pg_experiments.load_run(pong)
    before = set((pong / "videos").glob("*")) | set((pong / "videos").glob(".*"))
    monkeypatch.setattr(video, "picture", lambda *parts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        video.record(run, pong / "videos", greedy=True, seconds=1)
    assert set((pong / "videos").glob("*")) | set((pong / "videos").glob(".*")) == before


def test_a_poster_is_a_small_gif_of_a_part_of_a_video(pong, tmp_path):
    file = video.record(pg_experiments.load_run(pong), tmp_path, greedy=True, seconds=6)
    poster(file, tmp_path / "poster.gif", start=2, seconds=3)
    assert (tmp_path / "poster.gif").stat().st_size < 200_000
    with Image.open(tmp_path / "poster.gif") as gif:
        assert gif.n_frames == 3 * 15
        gif.seek(20)
        shown = np.asarray(gif.convert("RGB"))
    assert np.abs(shown.astype(int) - pictures(file)[0][2 * 15 + 20]).mean() < 4
    with pytest.raises(SystemExit, match="has no picture 7 s after its beginning"):
        poster(file, tmp_path / "none.gif", start=7)


@pytest.mark.parametrize("missing", video.PACKAGES)
def test_without_the_extra_it_is_said_at_once_what_to_install(monkeypatch, cartpole, missing):
    monkeypatch.setattr(video, "find_spec", lambda name: None if name == missing else name)
    line = r"video=true: needs the extra \[video\]: pip install 'pg-experiments\[video\]'"
    with pytest.raises(UserError, match=line):
        evaluate.evaluate(evaluate.parse([f"run={cartpole}", "video=true"]))
