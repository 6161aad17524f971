"""Records episodes of a policy as mp4 videos (H.264)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile

import gymnasium
import numpy as np

from pg_experiments.env.action_masks import KEY as ACTION_MASK
from pg_experiments.evaluation.loaded_run import LoadedRun
from pg_experiments.evaluation.pictures import picture
from pg_experiments.support.errors import UserError, needs_extra
from pg_experiments.support.files import Directory
from pg_experiments.tensors.streams import episode_seeds, evaluation_seed

THREADS = 2  # of the encoder; with one for each core, a short video would take longest where cores are many
USUAL = 30  # frames per second for an environment without `render_fps`
PACKAGES = ("av", "pygame")  # the encoder, and the renderer of CartPole
# disable pygame's greeting, window and sound
QUIET = {"PYGAME_HIDE_SUPPORT_PROMPT": "1", "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}


def require() -> None:
    """Raises UserError where a package of the extra is not installed."""
    if not all(find_spec(package) for package in PACKAGES):
        raise UserError(needs_extra("video=true", "video"))


def record(
    run: LoadedRun, directory: Path, *, greedy: bool, seconds: float, done: Callable[[int], object] | None = None
) -> Path:
    """Record an episode. The file's name includes the episode's return.

    Args:
        run: the run whose policy acts.
        directory: directory of the file; created if it does not exist.
        greedy: as in `LoadedRun.policy`.
        seconds: maximum length of the video, at the environment's speed. The episode always runs to its end.
        done: called with the number of steps of the episode that are done, after each step.

    Returns:
        The path of the file.
    """
    files = Directory(directory.parent)
    files.make_folder(directory.name)
    with NamedTemporaryFile(suffix=".mp4") as unfinished:  # the encoder opens it by name, and seeks
        episode_return = _film(run, Path(unfinished.name), greedy=greedy, seconds=seconds, done=done)
        way = "greedy" if greedy else "sampling"
        name = f"{directory.name}/seed_{run.seed}_{way}_return_{round(episode_return, 2):.10g}.mp4"
        files.replace(name, lambda file: copyfileobj(unfinished, file))
    return files.path / name


def _film(run: LoadedRun, file: Path, *, greedy: bool, seconds: float, done: Callable[[int], object] | None) -> float:
    """Run an episode and write the video. Returns the return of the whole episode."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import av  # of the extra, like pygame, which Gymnasium imports at the first render

    env = run.make_env(render_mode="rgb_array")
    per_second = int(env.metadata.get("render_fps", USUAL))
    most = max(1, int(seconds * per_second))
    total = 0.0
    with av.open(str(file), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=per_second, options={"crf": "20", "preset": "veryfast"})
        stream.thread_count = THREADS
        for number, (observation, total) in enumerate(_episode(run, env, greedy)):
            if done is not None:
                done(number)
            if number < most:
                caption = f"seed {run.seed}, {'greedy' if greedy else 'sampling'}: {total:.10g}"
                shown = picture(run.config.env, np.asarray(env.render()), observation, caption)
                frame = av.VideoFrame.from_ndarray(shown)
                if number == 0:
                    stream.width, stream.height = frame.width, frame.height
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    env.close()
    return total


def _episode(run: LoadedRun, env: gymnasium.Env, greedy: bool) -> Iterator[tuple[np.ndarray, float]]:
    """Yields each observation of an episode with the return so far."""
    total, over = 0.0, False
    run.reset()
    observation, info = env.reset(seed=episode_seeds(evaluation_seed(run.seed), 0, 1)[0])
    yield observation, total
    while not over:
        action = run.policy(observation, greedy, info.get(ACTION_MASK))
        observation, reward, terminated, truncated, info = env.step(action)
        total, over = total + float(reward), terminated or truncated
        yield observation, total
