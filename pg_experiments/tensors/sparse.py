"""Observations that are nearly all zero: stored, and multiplied with a layer's weights, by what is not.

Of the 6,400 pixels of a difference image of Pong some 35 are not zero. As a list of them a batch takes a hundredth of
the memory, and the first layer is a signed sum of a few rows of its weights instead of a product with all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


class SparseRows(NamedTuple):
    """Vectors [R, N, D], the non-zero numbers alone."""

    columns: Tensor  # [nnz] int64: seed · D + column, rows in order
    values: Tensor  # [nnz] float32
    starts: Tensor  # [R · N] int64: where each row begins in `columns`
    shape: tuple[int, int, int]  # R, N, D

    def matmul(self, weight: Tensor) -> Tensor:
        """The product with each seed's weights: [R, N, D] · [R, D, H] -> [R, N, H]."""
        R, N, D = self.shape
        values = self.values.to(weight.dtype)
        table = weight.reshape(R * D, -1)
        multiply = _SignedSum.apply if torch.is_grad_enabled() else _signed_sum
        rows: Tensor = multiply(table, self.columns, self.starts, values)
        return rows.view(R, N, -1)

    def dense(self, shape: tuple[int, ...]) -> Tensor:
        """The same vectors as a tensor [R, N, *shape], whose axes have D numbers together."""
        R, N, D = self.shape
        counts = torch.diff(self.starts, append=self.starts.new_tensor([len(self.columns)]))
        full = self.values.new_zeros(R * N, D)
        full[torch.repeat_interleave(counts), self.columns % D] = self.values
        return full.view(R, N, *shape)


def _signed_sum(table: Tensor, numbers: Tensor, starts: Tensor, signs: Tensor) -> Tensor:
    """Sums of rows of a table [K, H]: of those with the `numbers` [nnz], bags of them from `starts` [N] on: [N, H]."""
    # as functional.embedding_bag(mode="sum"), which takes longer to say so
    return torch.embedding_bag(table, numbers, starts, False, 0, False, signs)[0]


class _SignedSum(torch.autograd.Function):
    """`_signed_sum` with a gradient that is one, too: of the rows of what comes back, for each row of the table.

    The sums run over the steps in their order, so a seed's gradient is the same to the last bit whatever else is in
    the table; and it takes a third of the time of `embedding_bag`'s own.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, numbers: Tensor, starts: Tensor, signs: Tensor) -> Tensor:
        ctx.save_for_backward(numbers, starts, signs)
        ctx.count = len(table)
        return _signed_sum(table, numbers, starts, signs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        numbers, starts, signs = ctx.saved_tensors
        uses = torch.bincount(numbers, minlength=ctx.count)
        lengths = torch.diff(starts, append=starts.new_tensor([len(numbers)]))
        rows = torch.repeat_interleave(lengths)
        order = torch.argsort(numbers.int(), stable=True)  # half the time of sorting int64
        return _signed_sum(gradient.contiguous(), rows[order], uses.cumsum(0) - uses, signs[order]), None, None, None


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
