"""What was seen, done and paid at each recorded step, in order of recording: rows, taken out by their numbers."""

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

    columns: np.ndarray  # [nnz] int32 numbers that were not zero, rows in order
    values: np.ndarray  # [nnz] int8
    counts: np.ndarray  # [M] int64 how many of them each row has
    actions: np.ndarray  # [M] int64
    rewards: np.ndarray  # [M] float32
    units: np.ndarray  # [M] int64 which point or episode each is a step of
    masks: np.ndarray | None  # [M, L, H] bool hidden units that were kept; None without dropout

    def __getitem__(self, rows: np.ndarray) -> Rows:
        """Those rows, in that order."""
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
        """A copy of all of them, one part after another."""
        columns: dict[str, Any] = {
            name: None if column is None else np.concatenate([getattr(part, name) for part in parts])
            for name, column in vars(parts[0]).items()
        }
        return cls(**columns)


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """start, start + 1, …, count numbers of each, one range after another."""
    before = np.cumsum(counts) - counts
    numbers: np.ndarray = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return numbers


class Tape:
    """Grows a few rows at a time; a row is paid after it was recorded."""

    def __init__(self, kept: Rows | None = None) -> None:
        """Begin with the rows that are `kept` from an earlier tape."""
        self.kept = kept
        self.length = 0 if kept is None else len(kept.counts)
        self._pieces: list[tuple[np.ndarray, ...]] = []
        self._masks: list[np.ndarray] = []
        self._paid: list[tuple[np.ndarray, np.ndarray]] = []

    @classmethod
    def of(cls, state: Mapping[str, Tensor | None]) -> Tape:
        """A tape with the rows of a state."""
        parts: dict[str, Any] = {name: None if part is None else part.numpy() for name, part in state.items()}
        return cls(Rows(**parts) if parts else None)

    def state(self) -> dict[str, Tensor | None]:
        """What a checkpoint keeps: nothing, or all rows."""
        parts = vars(self.rows()) if self.length else {}
        return {name: None if part is None else torch.from_numpy(part) for name, part in parts.items()}

    def record(
        self, look: Look, which: np.ndarray, actions: np.ndarray, units: np.ndarray, masks: np.ndarray | None
    ) -> np.ndarray:
        """Add a row for each of those of R × E that `which` chooses. Returns their numbers."""
        self._pieces.append((look.columns, look.values, look.counts, which, actions, units))
        if masks is not None:
            self._masks.append(masks)
        first = self.length
        self.length += int(np.count_nonzero(which))
        return np.arange(first, self.length)

    def pay(self, rows: np.ndarray, rewards: np.ndarray) -> None:
        """Note what followed those rows."""
        self._paid.append((rows, rewards))

    def rows(self) -> Rows:
        """Everything that was recorded; what was not paid yet has no reward."""
        kept = [] if self.kept is None else [self.kept]
        rows = Rows.joined(kept + ([self._recorded()] if self._pieces else []))
        for places, rewards in self._paid:
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
