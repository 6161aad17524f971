"""`metrics.csv`: rows of one or more updates, one per seed.

Repeating a run gives the same file except for `wall_time_s`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pg_experiments.support.files import Directory
from pg_experiments.support.metric import Metric
from pg_experiments.support.run_directory import METRICS

BEFORE, AFTER = ("update", "seed", "env_steps", "episodes"), ("wall_time_s",)  # columns around those of metrics


@dataclass(frozen=True)
class UpdateRecord:
    """The data of one update, or of several consecutive ones."""

    update: int  # index from 0, of the last one
    learners: np.ndarray  # [R] indices of the learners that took part
    env_steps: np.ndarray  # [R] agent steps since the start
    episodes: np.ndarray  # [R] episodes since the start
    finished: np.ndarray  # [R] episodes of this record
    values: dict[str, np.ndarray]  # column -> [R]; NaN for no value
    wall_time_s: float  # seconds since the start of the run


@dataclass(frozen=True)
class Views:
    """Images and distributions for TensorBoard, by name."""

    images: dict[str, np.ndarray]  # [h, w] or [n, h, w]: numbers of any scale, shown with 0 as mid-grey
    distributions: dict[str, np.ndarray]  # [n] samples


class MetricsFile:
    """Appends rows to `metrics.csv`, and flushes the file after each record."""

    def __init__(self, files: Directory, seeds: list[int], metrics: Sequence[Metric], *, goes_on: bool = False) -> None:
        """Starts a new file with a column for each metric, or appends to the existing one if `goes_on`."""
        self.seeds = seeds
        self.columns = (*BEFORE, *(metric.name for metric in metrics), *AFTER)
        self._file = io.TextIOWrapper(files.append(METRICS, fresh=not goes_on), newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        if not goes_on:
            self._writer.writerow(self.columns)
            self._file.flush()

    def write(self, record: UpdateRecord) -> None:
        """Writes one row for each seed that took part. Floats are written so that reading them is exact."""
        for r, learner in enumerate(record.learners):
            row: dict[str, float | int] = {column: float(values[r]) for column, values in record.values.items()}
            row |= {"update": record.update, "seed": self.seeds[learner], "env_steps": int(record.env_steps[r])}
            row |= {"episodes": int(record.episodes[r]), "wall_time_s": round(record.wall_time_s, 3)}
            self._writer.writerow(_cell(row.get(column, math.nan)) for column in self.columns)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
