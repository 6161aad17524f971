"""`python -m pg_experiments.evaluate`: evaluates the policy of a run in new episodes, and records videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le

from pg_experiments.app.arguments import answer, key_values, plain
from pg_experiments.support.errors import UserError
from pg_experiments.support.interruption import deferred

if TYPE_CHECKING:
    from pg_experiments.evaluation.loaded_run import LoadedRun
    from pg_experiments.evaluation.saved_run import SavedRun
    from pg_experiments.evaluation.summary import Way

HELP = """\
Evaluate the policy of a run in new episodes, which are not those of training.

  python -m pg_experiments.evaluate run=outputs/DATE/TIME
  python -m pg_experiments.evaluate run=outputs/DATE/TIME episodes=1000 greedy=true seed=3
  python -m pg_experiments.evaluate run=outputs/DATE/TIME video=true video.seconds=30

run=DIR               the directory of a run, which holds its result.json
episodes=N            episodes for each seed and way of acting (100), at most a million
greedy=true|false     true: the most probable action, of equals the first, and dropout off. false: an action drawn from
                      the policy's probabilities, and dropout on, as in training. Left out: both. The first is what one
                      would use; the second is the policy whose return was trained, and is in metrics.csv
seed=N                this seed of the run alone; left out, every one
checkpoint=best       each seed's parameters with which its mean return was best (until its first full window, the last)
          =last       those of the newest checkpoint
          =PATH       those of that file, as RUN/checkpoints/update_00000120.pt
video=true            record an episode of each seed and way of acting to RUN/videos/; needs the extra [video]
video.seconds=60      of a video at most, at the speed of the game; the return in its name is that of the whole episode

Episodes end where the environment ends them, by its time limit at the latest. The same command gives the same numbers.
Into the run's directory it writes evaluation.json, with every return."""


@dataclass(frozen=True)
class Arguments:
    """Arguments of an evaluation, as described in `HELP`."""

    run: str
    episodes: int
    greedy: bool | None
    seed: int | None
    checkpoint: str
    video: bool
    video_seconds: float


KEYS = {
    "run": str,
    "episodes": Annotated[int, Ge(1), Le(1_000_000)],
    "greedy": bool | None,
    "seed": Annotated[int, Ge(0)] | None,
    "checkpoint": str,
    "video": bool,
    "video.seconds": Annotated[float, Gt(0), Le(3600)],
}
DEFAULTS = {
    "episodes": 100,
    "greedy": None,
    "seed": None,
    "checkpoint": "best",
    "video": False,
    "video.seconds": 60.0,
}


def parse(arguments: Sequence[str]) -> Arguments:
    """Parse `key=value` arguments.

    Raises:
        UserError: a key is unknown or missing, or a value does not fit.
    """
    from pg_experiments.support.typed import checked_fields

    given = key_values(arguments, "run", KEYS)
    if not given.get("run"):
        raise UserError("run: missing; expected a run's directory, as run=outputs/DATE/TIME")
    values = {key: value if KEYS.get(key) is str else plain(value) for key, value in given.items()}
    checked = checked_fields(KEYS, DEFAULTS | values, "")
    return Arguments(**{key.replace(".", "_"): value for key, value in checked.items()})


def evaluate(arguments: Arguments) -> None:
    """Evaluate a run: print the table, write `evaluation.json`, and record videos if requested.

    Raises:
        NoSuchFile: there is no such run or checkpoint.
        FileError: one of its files cannot be read, is damaged, or is of another run.
        UserError: the run has no such seed, or the extra for videos is not installed.
    """
    # deferred imports: slow, and not needed where an argument is wrong
    with deferred():
        from pg_experiments.comparison.console import show_files, terminal
        from pg_experiments.evaluation import table, video
        from pg_experiments.evaluation.episodes import play
        from pg_experiments.evaluation.progress import EvaluationProgress
        from pg_experiments.evaluation.saved_run import SavedRun
        from pg_experiments.evaluation.summary import Way
        from pg_experiments.support.files import Directory

    if arguments.video:
        video.require()
    saved = SavedRun.open(arguments.run, arguments.checkpoint)
    chosen = saved.seeds if arguments.seed is None else [arguments.seed]
    runs = [saved.of(seed) for seed in chosen]
    console = terminal()
    ways = []
    acting = (True, False) if arguments.greedy is None else (arguments.greedy,)
    with EvaluationProgress(len(runs) * len(acting)) as progress:
        for greedy in acting:
            episodes = {}
            for run in runs:
                progress.begin(f"seed {run.seed}, {'greedy' if greedy else 'sampling'}", arguments.episodes, "episodes")
                episodes[run.seed] = play(run, arguments.episodes, greedy=greedy, done=progress.done)
            ways.append(Way(greedy, {run.seed: run.update for run in runs}, episodes))
    console.print(table.rich_table(ways))
    console.print(table.NOTE, style="dim", soft_wrap=True)
    text = json.dumps(_as_data(arguments, saved.update, ways), indent=2, allow_nan=False) + "\n"
    Directory(saved.path).replace("evaluation.json", lambda file: file.write(text.encode()))
    videos = _videos(saved, runs, ways, arguments.video_seconds) if arguments.video else []
    show_files(saved.path, ["evaluation.json", *videos])


def _videos(saved: SavedRun, runs: Sequence[LoadedRun], ways: Sequence[Way], seconds: float) -> list[str]:
    """Record an episode of each seed and way of acting. Returns the names of the files."""
    from pg_experiments.evaluation import video
    from pg_experiments.evaluation.progress import EvaluationProgress

    names = []
    with EvaluationProgress(len(runs) * len(ways)) as progress:
        for run in runs:
            for way in ways:
                usual = max(1, round(float(way.played[run.seed].lengths.mean())))
                progress.begin(f"video of seed {run.seed}, {way.name}", usual, "steps (estimated)")
                file = video.record(run, saved.path / "videos", greedy=way.greedy, seconds=seconds, done=progress.done)
                names.append(str(file.relative_to(saved.path)))
    return names


def _as_data(arguments: Arguments, update: int, ways: Sequence[Way]) -> dict[str, Any]:
    """The content of `evaluation.json`; the format is described in docs/evaluation.md."""
    return {
        "format": 1,
        "episodes": arguments.episodes,
        "checkpoint": arguments.checkpoint,
        "update": update,
        "ways": {way.name: way.as_data() for way in ways},
    }


def main() -> None:
    """The command."""
    answer(HELP, lambda arguments: evaluate(parse(arguments)))


if __name__ == "__main__":
    main()
