"""Observations that are nearly all zero: stored, and multiplied with a layer's weights, by what is not.

Of the 6,400 pixels of a difference image of Pong some 35 are not zero. As a list of them a batch takes a hundredth of
the memory, and the first layer is a signed sum of a few rows of its weights instead of a product with all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class SparseRows(NamedTuple):
    """Vectors [R, N, D], the non-zero numbers alone."""

    columns: Tensor  # [nnz] int64: seed · D + column, rows in order
    values: Tensor  # [nnz] float32
    starts: Tensor  # [R · N] int64: where each row begins in `columns`
    shape: tuple[int, int, int]  # R, N, D

    def matmul(self, weight: Tensor) -> Tensor:
        """The product with each seed's weights: [R, N, D] · [R, D, H] -> [R, N, H]."""
        R, N, D = self.shape
        if torch.is_grad_enabled() and R > 1:
            # a gradient sums what a column was used for in an order that depends on everything in the table, so each
            # seed has a table of its own: its neighbours change no bit
            tables = weight.unbind(0)
            return torch.cat([of_seed.matmul(tables[r][None]) for r, of_seed in enumerate(self._by_seed())])
        values = self.values.to(weight.dtype)
        table = weight.reshape(R * D, -1)
        rows = functional.embedding_bag(self.columns, table, self.starts, mode="sum", per_sample_weights=values)
        return rows.view(R, N, -1)

    def _by_seed(self) -> list[SparseRows]:
        _, N, D = self.shape
        bounds = [*self.starts[::N].tolist(), len(self.columns)]
        return [
            SparseRows(
                self.columns[begin:end] - r * D,
                self.values[begin:end],
                self.starts[r * N : (r + 1) * N] - begin,
                (1, N, D),
            )
            for r, (begin, end) in enumerate(pairwise(bounds))
        ]


@dataclass(frozen=True)
class SparseSteps:
    """What was seen at M recorded steps, and which of them each place of a rollout is."""

    columns: Tensor  # [nnz] int32: below D, rows in order
    values: Tensor  # [nnz] int8
    starts: Tensor  # [M + 1] int64
    row_of: Tensor  # [T, R, E] int64: the row of each step; anything where none was played
    size: int  # D

    def take(self, positions: Tensor, valid: Tensor) -> SparseRows:
        """The rows at places [R, N] of the flattened [T, R, E]; empty ones where `valid` is False."""
        return self.rows(self.row_of.flatten()[positions], valid)

    def rows(self, rows: Tensor, valid: Tensor) -> SparseRows:
        """Likewise by their numbers [R, N]."""
        R, N = rows.shape
        first = self.starts[rows].flatten()
        lengths = torch.where(valid.flatten(), self.starts[rows + 1].flatten() - first, 0)
        starts = lengths.cumsum(0) - lengths
        places = torch.arange(int(lengths.sum()), device=rows.device) + (first - starts).repeat_interleave(lengths)
        seeds = torch.arange(R, device=rows.device).repeat_interleave(lengths.view(R, N).sum(1))
        columns = self.columns[places].long() + seeds * self.size
        return SparseRows(columns, self.values[places].float(), starts, (R, N, self.size))


@dataclass(frozen=True)
class StepsByRow:
    """Anything else that was noted at the same M steps."""

    values: Tensor  # [M, *rest]
    row_of: Tensor  # [T, R, E] int64, as in `SparseSteps`

    def take(self, positions: Tensor, valid: Tensor) -> Tensor:
        """[R, N, *rest] at places [R, N] of the flattened [T, R, E]; anything where `valid` is False."""
        return self.values[self.row_of.flatten()[positions]]
