"""The newest transitions of R learners in memory, from which mini-batches are sampled."""

from __future__ import annotations

from collections.abc import Sequence

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

    def sizes(self, learners: Sequence[int]) -> list[int]:
        """The number of rows that are stored of these learners."""
        return [min(self.counts[learner], self.capacity) for learner in learners]

    def add(self, learners: Sequence[int], rows: Tensor) -> None:
        """Adds rows [R, n, width] of learners that have equally many, of which the last `capacity` remain."""
        first = self.counts[learners[0]]
        assert all(self.counts[learner] == first for learner in learners), "they have taken part in the same batches"
        for learner in learners:
            self.counts[learner] += rows.shape[1]
        self.write(learners, first, rows)

    def write(self, learners: Sequence[int], first: int, rows: Tensor) -> None:
        """Writes rows [R, n, width] of which the first has the index `first`; later ones replace earlier ones."""
        kept = rows[:, -self.capacity :]
        size = kept.shape[1]
        start = (first + rows.shape[1] - size) % self.capacity
        before_the_end = min(size, self.capacity - start)
        index = torch.tensor(learners)
        self._rows[index, start : start + before_the_end] = kept[:, :before_the_end]
        if before_the_end < size:
            self._rows[index, : size - before_the_end] = kept[:, before_the_end:]

    def newest(self, learner: int, count: int) -> Tensor:
        """The last `count` rows of a learner, at most as many as are stored, in the order in which they were added."""
        places = torch.arange(self.counts[learner] - count, self.counts[learner]) % self.capacity
        return self._rows[learner][places]

    def sample(self, learners: Sequence[int], places: Tensor) -> Tensor:
        """The rows at places [R, N] of these learners: [R, N, width]."""
        index = places + torch.tensor(learners)[:, None] * self.capacity
        return self._rows.flatten(0, 1).index_select(0, index.flatten()).view(*places.shape, -1)
