"""Sparse observations: storage of the non-zero numbers, and products with the weights of a layer.

Of the 6,400 pixels of a difference image of Pong some 35 are not zero. In sparse form a batch takes a hundredth of the
memory, and the first layer is a signed sum of a few rows of its weights instead of a dense product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


class SparseRows(NamedTuple):
    """Vectors [R, N, D] in sparse form."""

    columns: Tensor  # [nnz] int64: learner · D + column of the non-zero numbers, rows in order
    values: Tensor  # [nnz] float32: the non-zero numbers
    starts: Tensor  # [R · N] int64: start of each row in `columns`
    shape: tuple[int, int, int]  # R, N, D

    def matmul(self, weight: Tensor) -> Tensor:
        """The product with each learner's weights: [R, N, D] · [R, D, H] -> [R, N, H]."""
        R, N, D = self.shape
        values = self.values.to(weight.dtype)
        table = weight.reshape(R * D, -1)
        multiply = _SignedSum.apply if torch.is_grad_enabled() else _signed_sum
        rows: Tensor = multiply(table, self.columns, self.starts, values)
        return rows.view(R, N, -1)

    def dense(self, shape: tuple[int, ...]) -> Tensor:
        """Converts the vectors to a dense tensor [R, N, *shape]; the product of `shape` is D."""
        R, N, D = self.shape
        counts = torch.diff(self.starts, append=self.starts.new_tensor([len(self.columns)]))
        full = self.values.new_zeros(R * N, D)
        full[torch.repeat_interleave(counts), self.columns % D] = self.values
        return full.view(R, N, *shape)


def _signed_sum(table: Tensor, numbers: Tensor, starts: Tensor, signs: Tensor) -> Tensor:
    """Signed sums [N, H] of rows of a table [K, H]. `numbers` [nnz] are row indices, in bags that begin at `starts`."""
    # equals functional.embedding_bag(mode="sum") without its overhead
    return torch.embedding_bag(table, numbers, starts, False, 0, False, signs)[0]


class _SignedSum(torch.autograd.Function):
    """`_signed_sum` with a gradient that is also computed by `_signed_sum`, over rows of the incoming gradient.

    Terms are added in the order of steps, so a learner's gradient does not depend on the other rows of the table in any
    bit. It takes a third of the time of `embedding_bag`'s own gradient.
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
    """Sparse observations of M recorded steps, and the row of each step of a rollout."""

    columns: Tensor  # [nnz] int32: columns of the non-zero numbers, 0 to D − 1, rows in order
    values: Tensor  # [nnz] int8: the non-zero numbers
    starts: Tensor  # [M + 1] int64: start of each row, and the end of the last
    row_of: Tensor  # [T, R, E] int64: the row of each step; undefined where there is no step
    size: int  # D

    def take(self, positions: Tensor, valid: Tensor) -> SparseRows:
        """The rows at positions [R, N] of the flattened [T, R, E]; empty rows where `valid` is False."""
        return self.rows(self.row_of.flatten()[positions], valid)

    def rows(self, rows: Tensor, valid: Tensor) -> SparseRows:
        """The rows with numbers [R, N]; empty rows where `valid` is False."""
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
    """Other values of the same M recorded steps."""

    values: Tensor  # [M, *rest]
    row_of: Tensor  # [T, R, E] int64, as in `SparseSteps`

    def take(self, positions: Tensor, valid: Tensor) -> Tensor:
        """The values [R, N, *rest] at positions [R, N] of the flattened [T, R, E]; undefined where `valid` is False."""
        return self.values[self.row_of.flatten()[positions]]
