"""What a callback of Python gets after each update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pg_experiments.support.feedback import Feedback

if TYPE_CHECKING:
    from pg_experiments.run.tracking import UpdateRecord


@dataclass(frozen=True, eq=False)
class Update:
    """One update of a run. R is the number of seeds that took part: those that are not solved, failed or at a limit.

    Attributes:
        path: the run's directory.
        update: index of the update, from 0.
        seeds: [R] int64, the seed of each entry below.
        env_steps: [R] int64, steps of the environment since the start of the run.
        episodes: [R] int64, episodes since the start of the run.
        metrics: by name, [R] floats; NaN for no value. `mean_return` is the mean of the last `env.window` returns. The
            names are those of the columns of `metrics.csv`.
        wall_time_s: seconds since the start of the run.
    """

    path: Path
    update: int
    seeds: np.ndarray
    env_steps: np.ndarray
    episodes: np.ndarray
    metrics: Mapping[str, np.ndarray]
    wall_time_s: float


def feedback(progress: bool, callback: Callable[[Update], object] | None) -> Feedback:
    """The feedback of a run: printed progress, and a callback that stops it by returning True."""
    if callback is None:
        return Feedback(quiet=not progress)

    def on_update(path: Path, seeds: Sequence[int], record: UpdateRecord) -> bool:
        answer = callback(
            Update(
                path,
                record.update,
                np.array(seeds, dtype=np.int64)[record.learners],
                record.env_steps.copy(),
                record.episodes.copy(),
                {name: values.copy() for name, values in record.values.items()},
                record.wall_time_s,
            )
        )
        return isinstance(answer, bool | np.bool_) and bool(answer)

    return Feedback(quiet=not progress, on_update=on_update)
