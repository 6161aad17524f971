"""Combines the records of consecutive updates to rows, at intervals of environment steps (`tracking.every_steps`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pg_experiments.run.tracking.metrics import UpdateRecord

OF_EPISODES = ("episodic_return", "episodic_length")  # a row has their mean over its episodes
LAST = ("mean_return",)  # a row has the last value
FIELDS = ("update", "learners", "env_steps", "episodes", "finished", "wall_time_s")  # of a record, beside its values


class Rows:
    """The updates since the last row."""

    def __init__(self, learners: int, every_steps: int) -> None:
        """`every_steps` is the number of steps of a learner after which a row is due; 0: after every update."""
        self.every_steps = every_steps
        self._waiting: list[UpdateRecord] = []
        self._steps = np.zeros(learners, dtype=np.int64)  # of each learner at its last row

    def add(self, record: UpdateRecord, active: int) -> list[UpdateRecord]:
        """Adds an update. Returns the rows that are due, none or one.

        There are two where the learners are not those of the update before: a run was resumed with other limits.

        Args:
            record: the update.
            active: the number of learners that continue after it. A row is due when one stops.
        """
        other = bool(self._waiting) and not np.array_equal(self._waiting[-1].learners, record.learners)
        rows = self.take() if other else []
        self._waiting.append(record)
        steps = record.env_steps - self._steps[record.learners]
        due = active < len(record.learners) or steps.max() >= self.every_steps
        return [*rows, *self.take()] if due else rows

    def take(self) -> list[UpdateRecord]:
        """The row of the updates since the last row; none where there are none."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        self._steps[waiting[-1].learners] = waiting[-1].env_steps
        return [combined(waiting)]

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        waiting = _stacked(self._waiting) if self._waiting else None
        return {"steps": torch.from_numpy(self._steps.copy()), "waiting": waiting}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self._steps[:] = state["steps"].numpy()
        self._waiting = [] if state["waiting"] is None else _unstacked(state["waiting"])


def combined(records: Sequence[UpdateRecord]) -> UpdateRecord:
    """One record of consecutive updates of the same R learners, with the counts of the last one.

    A metric is the mean over the updates, or over the episodes, that have a value; those in `LAST` have the last one.
    """
    last = records[-1]
    if len(records) == 1:
        return last
    finished = np.stack([record.finished for record in records])
    values = dict(last.values)
    for name in set(_names(records)) - set(LAST):
        weights = finished if name in OF_EPISODES else np.ones_like(finished)
        values[name] = _mean(_values(records, name), weights)
    return dataclasses.replace(last, finished=finished.sum(0), values=values)


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[U, R] -> [R]: the weighted mean of the values that are not NaN; NaN where there are none."""
    weights = np.where(np.isnan(values), 0, weights)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = (np.where(weights > 0, values, 0) * weights).sum(0, dtype=np.float64) / weights.sum(0)
    return mean


def _stacked(records: Sequence[UpdateRecord]) -> dict[str, Any]:
    """The fields of records of the same learners as a checkpoint stores them: a tensor [U, …] for each.

    One tensor for each number of each record would make a checkpoint large.
    """
    fields = {name: np.array([getattr(record, name) for record in records]) for name in FIELDS}
    values = {name: _values(records, name) for name in _names(records)}
    return {name: torch.from_numpy(array) for name, array in fields.items()} | {
        "values": {name: torch.from_numpy(array) for name, array in values.items()}
    }


def _unstacked(fields: Mapping[str, Any]) -> list[UpdateRecord]:
    """The records of `_stacked`."""
    arrays = {name: fields[name].numpy() for name in FIELDS}
    values = {name: value.numpy() for name, value in fields["values"].items()}
    return [
        UpdateRecord(
            update=int(arrays["update"][u]),
            learners=arrays["learners"][u],
            env_steps=arrays["env_steps"][u],
            episodes=arrays["episodes"][u],
            finished=arrays["finished"][u],
            values={name: array[u] for name, array in values.items()},
            wall_time_s=float(arrays["wall_time_s"][u]),
        )
        for u in range(len(arrays["update"]))
    ]


def _names(records: Sequence[UpdateRecord]) -> list[str]:
    """The names of all values, in the order of their first appearance."""
    return list(dict.fromkeys(name for record in records for name in record.values))


def _values(records: Sequence[UpdateRecord], name: str) -> np.ndarray:
    """[U, R]: the values of one name, NaN in records without it."""
    missing = np.full(len(records[-1].learners), np.nan)
    return np.stack([record.values.get(name, missing) for record in records])
