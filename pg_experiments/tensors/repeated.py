"""Repeated rows for networks that are evaluated on several blocks of steps at once, with sums in the order of blocks.

Blocks one after the other, each with a gradient of its own, give the same bits. A sum over an axis does not: torch
chooses its order by the sizes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def repeated(rows: Tensor, times: int) -> Tensor:
    """[R, *rest] -> [R · times, *rest]: each row `times` times in a row. Its gradient is `sum_in_order`."""
    result: Tensor = _Repeated.apply(rows, times)  # type: ignore[no-untyped-call]
    return result


def sum_in_order(rows: Tensor, times: int) -> Tensor:
    """[R · times, *rest] -> [R, *rest]: sums of `times` rows each, first to last. Its gradient is `repeated`."""
    result: Tensor = _SumInOrder.apply(rows, times)  # type: ignore[no-untyped-call]
    return result


def _sum_in_order(rows: Tensor, times: int) -> Tensor:
    first, *others = rows.unflatten(0, (-1, times)).unbind(1)
    total = first.clone()
    for other in others:
        total += other
    summed: Tensor = total
    return summed


class _Repeated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, times: int) -> Tensor:
        ctx.times = times
        result: Tensor = rows.repeat_interleave(times, 0)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum_in_order(gradient, ctx.times), None


class _SumInOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, times: int) -> Tensor:
        ctx.times = times
        return _sum_in_order(rows, times)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.repeat_interleave(ctx.times, 0), None
