"""The newest transitions of R learners in memory, from which mini-batches are sampled."""

from __future__ import annotations

import torch
from torch import Tensor


class Replay:
    """A ring of `capacity` rows for each learner: the row with index i is at place i % capacity.

    Attributes:
        counts: number of rows that have been added to each learner's ring so far.
    """

    def __init__(self, learners: int, capacity: int, width: int) -> None:
        """`width` is the number of numbers in a row. Memory is taken by the operating system as rows are written."""
        self.capacity = capacity
        self.counts = [0] * learners
        self._rows = torch.empty(learners, capacity, width, device="cpu")

    @property
    def width(self) -> int:
        """The number of float32 numbers in a row."""
        return self._rows.shape[2]

    def sizes(self, learners: list[int]) -> list[int]:
        """The number of rows that are stored of these learners."""
        return [min(self.counts[learner], self.capacity) for learner in learners]

    def add(self, learner: int, rows: Tensor) -> None:
        """Adds rows [n, width] of a learner, of which the last `capacity` remain."""
        first, self.counts[learner] = self.counts[learner], self.counts[learner] + len(rows)
        self.write(learner, first, rows)

    def write(self, learner: int, first: int, rows: Tensor) -> None:
        """Writes rows [n, width] of which the first has the index `first`; later ones replace earlier ones."""
        kept = rows[-self.capacity :]
        start = (first + len(rows) - len(kept)) % self.capacity
        before_the_end = min(len(kept), self.capacity - start)
        ring = self._rows[learner]
        ring[start : start + before_the_end] = kept[:before_the_end]
        ring[: len(kept) - before_the_end] = kept[before_the_end:]

    def newest(self, learner: int, count: int) -> Tensor:
        """The last `count` rows of a learner, at most as many as are stored, in the order in which they were added."""
        places = torch.arange(self.counts[learner] - count, self.counts[learner]) % self.capacity
        return self._rows[learner][places]

    def sample(self, learners: list[int], places: Tensor) -> Tensor:
        """The rows at places [R, N] of these learners: [R, N, width]."""
        index = places + torch.tensor(learners)[:, None] * self.capacity
        return self._rows.flatten(0, 1).index_select(0, index.flatten()).view(*places.shape, -1)
