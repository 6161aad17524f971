"""`python -m pg_experiments.variance`: variance and bias of gradient estimators at one policy, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from pg_experiments.app.arguments import answer, key_values, plain
from pg_experiments.support.errors import UserError, nearest
from pg_experiments.support.interruption import deferred

if TYPE_CHECKING:
    from pg_experiments.estimators.snapshot import Snapshot

HELP = """\
Put gradient estimators side by side at one policy: the variance and the bias of each, from the same episodes.

  python -m pg_experiments.variance run=outputs/DATE/TIME
  python -m pg_experiments.variance run=outputs/DATE/TIME checkpoint=best episodes=1000 batch=4
  python -m pg_experiments.variance env=cartpole policy.hidden=32 episodes=400

run=DIR               the directory of a run, which holds its result.json
checkpoint=last       the policy and V(s) of the run's newest checkpoint
          =best       the policy with which the seed's mean return was best
          =PATH       those of that file, as RUN/checkpoints/update_00000120.pt
seed=N                this seed of the run; left out, the one with the highest best mean return
KEY=VALUE …           without run=DIR: settings of a run, as in training, whose first policy is taken
episodes=N            episodes that every estimator sees (200), at least 20
batch=N               episodes in a batch, over which baselines and normalisers are computed; left out, as many as the
                      run has in a batch, between 4 and a twentieth of the episodes
out=DIR               where files are written; left out, the run's directory, or outputs/variance/DATE_TIME

Actions are sampled, with dropout, as in training. The same command gives the same numbers. Into the directory it writes
variance_report.html, which has all of it in one page, variance.md, variance.csv and variance.png. Estimators that do
not apply are listed with the reason."""


@dataclass(frozen=True)
class Arguments:
    """Arguments of the command, as described in `HELP`."""

    run: str | None
    checkpoint: str
    seed: int | None
    episodes: int
    batch: int | None
    out: str | None
    overrides: tuple[str, ...]


KEYS = {
    "run": str | None,
    "checkpoint": str,
    "seed": Annotated[int, Ge(0)] | None,
    "episodes": Annotated[int, Ge(1), Le(1_000_000)],
    "batch": Annotated[int, Ge(1)] | None,
    "out": str | None,
}
TEXTS = ("run", "checkpoint", "out")
DEFAULTS = {"run": None, "checkpoint": "last", "seed": None, "episodes": 200, "batch": None, "out": None}


def parse(arguments: Sequence[str]) -> Arguments:
    """Parse `key=value` arguments. Without a run, other keys are settings of a new policy.

    Raises:
        UserError: a key is unknown or missing, or a value does not fit.
    """
    from pg_experiments.support.typed import checked_fields

    given = key_values(arguments, "run", KEYS)
    values = {key: value if key in TEXTS else plain(value) for key, value in given.items() if key in KEYS}
    settings = [key for key in given if key not in KEYS]
    if "run" not in given and not settings:
        raise UserError(
            "run: missing; expected a run's directory, as run=outputs/DATE/TIME, or settings of a new policy, as "
            "env=cartpole"
        )
    if "run" in given and settings:
        near = nearest(settings[0], KEYS)
        meant = f"; did you mean {near}=…?" if near else "; a run has its own settings, and without run=DIR it is one"
        raise UserError(f"{settings[0]}={given[settings[0]]}: no such key of this command{meant}")
    if "run" not in given and "checkpoint" in given:
        raise UserError(f"checkpoint={given['checkpoint']}: of a run; expected run=DIR")
    for key in ("run", "out"):
        if given.get(key) == "":
            raise UserError(f"{key}: expected a directory")
    checked = checked_fields(KEYS, DEFAULTS | values, "")
    return Arguments(**checked, overrides=tuple(f"{key}={given[key]}" for key in settings))


def variance(arguments: Arguments) -> None:
    """Measure the estimators, print the table and write the files.

    Raises:
        NoSuchFile: there is no such run or checkpoint.
        FileError: one of its files cannot be read, is damaged, or is of another run.
        UserError: the algorithm has no policy gradient of an episode, or the numbers do not fit.
    """
    # deferred imports: slow, and not needed where an argument is wrong
    with deferred():
        from pg_experiments.comparison.console import show_files
        from pg_experiments.estimators import console, report
        from pg_experiments.estimators.measuring import batch_size, measure
        from pg_experiments.evaluation.progress import EvaluationProgress
        from pg_experiments.support.files import Directory

    snapshot, directory = _snapshot(arguments)
    size = batch_size(snapshot, arguments.episodes, arguments.batch)
    with EvaluationProgress() as progress:
        found = measure(snapshot, arguments.episodes, size, progress)
    console.show(found)
    Directory(directory).make()
    show_files(directory, report.write_report(directory, found))


def _snapshot(arguments: Arguments) -> tuple[Snapshot, Path]:
    """The policy, and where files are written."""
    from pg_experiments.estimators.snapshot import new_snapshot, snapshot_of_run
    from pg_experiments.evaluation.saved_run import SavedRun

    out = None if arguments.out is None else Path(arguments.out)
    if arguments.run is not None:
        saved = SavedRun.open(arguments.run, arguments.checkpoint)
        return snapshot_of_run(saved, arguments.seed), out or saved.path
    from pg_experiments.train import compose

    config = compose(*arguments.overrides)
    otherwise = Path("outputs", "variance", f"{datetime.now():%Y-%m-%d_%H-%M-%S}")
    return new_snapshot(config.run, config.overrides, arguments.seed), out or otherwise


def main() -> None:
    """The command."""
    answer(HELP, lambda arguments: variance(parse(arguments)))


if __name__ == "__main__":
    main()
