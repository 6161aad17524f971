"""Storage of recorded steps: observations, actions and rewards as rows, in order of recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pg_experiments.env.screens import Look


@dataclass(frozen=True)
class Rows:
    """M recorded steps."""

    columns: np.ndarray  # [nnz] int32 positions of the non-zero numbers of observations, rows in order
    values: np.ndarray  # [nnz] int8 those numbers
    counts: np.ndarray  # [M] int64 number of non-zero numbers of each row
    actions: np.ndarray  # [M] int64
    rewards: np.ndarray  # [M] float32
    units: np.ndarray  # [M] int64 id of the point or episode of each step
    masks: np.ndarray | None  # [M, L, H] bool hidden units kept by dropout; None without dropout

    def __getitem__(self, rows: np.ndarray) -> Rows:
        """The rows with these numbers, in this order."""
        starts = np.cumsum(self.counts) - self.counts
        counts = self.counts[rows]
        places = ranges(starts[rows], counts)
        return Rows(
            self.columns[places],
            self.values[places],
            counts,
            self.actions[rows],
            self.rewards[rows],
            self.units[rows],
            None if self.masks is None else self.masks[rows],
        )

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Concatenates parts into a copy."""
        columns: dict[str, Any] = {
            name: None if column is None else np.concatenate([getattr(part, name) for part in parts])
            for name, column in vars(parts[0]).items()
        }
        return cls(**columns)


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Concatenates the integer ranges start, …, start + count − 1."""
    before = np.cumsum(counts) - counts
    numbers: np.ndarray = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return numbers


class Tape:
    """A growing sequence of rows. The reward of a row is set after the row was recorded."""

    def __init__(self, kept: Rows | None = None) -> None:
        """`kept` are the first rows, from an earlier tape."""
        self.kept = kept
        self.length = 0 if kept is None else len(kept.counts)
        self._pieces: list[tuple[np.ndarray, ...]] = []
        self._masks: list[np.ndarray] = []
        self._rewards: list[tuple[np.ndarray, np.ndarray]] = []  # row numbers, and their rewards

    @classmethod
    def of(cls, state: Mapping[str, Tensor | None]) -> Tape:
        """Creates a tape from a state."""
        parts: dict[str, Any] = {name: None if part is None else part.numpy() for name, part in state.items()}
        return cls(Rows(**parts) if parts else None)

    def state(self) -> dict[str, Tensor | None]:
        """All rows, for a checkpoint; empty where there are none."""
        parts = vars(self.rows()) if self.length else {}
        return {name: None if part is None else torch.from_numpy(part) for name, part in parts.items()}

    def record(
        self, look: Look, which: np.ndarray, actions: np.ndarray, units: np.ndarray, masks: np.ndarray | None
    ) -> np.ndarray:
        """Appends a row for each True entry of `which` [R, E]. Returns the row numbers."""
        self._pieces.append((look.columns, look.values, look.counts, which, actions, units))
        if masks is not None:
            self._masks.append(masks)
        first = self.length
        self.length += int(np.count_nonzero(which))
        return np.arange(first, self.length)

    def pay(self, rows: np.ndarray, rewards: np.ndarray) -> None:
        """Sets the rewards of rows."""
        self._rewards.append((rows, rewards))

    def rows(self) -> Rows:
        """All recorded rows; the reward is 0 where it has not been set."""
        kept = [] if self.kept is None else [self.kept]
        rows = Rows.joined(kept + ([self._recorded()] if self._pieces else []))
        for places, rewards in self._rewards:
            rows.rewards[places] = rewards
        return rows

    def _recorded(self) -> Rows:
        columns, values, counts, which, actions, units = (
            np.concatenate([piece.ravel() for piece in pieces]) for pieces in zip(*self._pieces, strict=True)
        )
        return Rows(
            columns,
            values,
            counts[which],
            actions[which],
            np.zeros(np.count_nonzero(which), dtype=np.float32),
            units[which],
            np.concatenate(self._masks) if self._masks else None,
        )
