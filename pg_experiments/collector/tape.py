"""What was seen, done and paid at each recorded step, in order of recording: rows, taken out by their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


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


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """start, start + 1, …, count numbers of each, one range after another."""
    before = np.cumsum(counts) - counts
    numbers: np.ndarray = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return numbers


class Tape:
    """Grows a few rows at a time; a row is paid after it was recorded."""

    def __init__(self, kept: Rows | None = None) -> None:
        """Begin with the rows that are `kept` from an earlier tape."""
        self.length = 0
        self._pieces: list[tuple[np.ndarray, ...]] = []
        self._masks: list[np.ndarray] = []
        self._paid: list[tuple[np.ndarray, np.ndarray]] = []
        if kept is not None and len(kept.counts):
            rows = self.record(kept.columns, kept.values, kept.counts, kept.actions, kept.units, kept.masks)
            self.pay(rows, kept.rewards)

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
        self,
        columns: np.ndarray,
        values: np.ndarray,
        counts: np.ndarray,
        actions: np.ndarray,
        units: np.ndarray,
        masks: np.ndarray | None,
    ) -> np.ndarray:
        """Add rows. Returns their numbers."""
        self._pieces.append((columns, values, counts, actions, units))
        if masks is not None:
            self._masks.append(masks)
        first, self.length = self.length, self.length + len(counts)
        return np.arange(first, self.length)

    def pay(self, rows: np.ndarray, rewards: np.ndarray) -> None:
        """Note what followed those rows."""
        self._paid.append((rows, rewards))

    def rows(self) -> Rows:
        """Everything that was recorded; what was not paid yet has no reward."""
        columns, values, counts, actions, units = map(np.concatenate, zip(*self._pieces, strict=True))
        rewards = np.zeros(self.length, dtype=np.float32)
        rewards[np.concatenate([rows for rows, _ in self._paid])] = np.concatenate([paid for _, paid in self._paid])
        masks = np.concatenate(self._masks) if self._masks else None
        return Rows(columns, values, counts, actions, rewards, units, masks)
