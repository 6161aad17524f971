"""Where the parameters of stacked perceptrons lie in memory, for compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

WIDEST = 128  # hidden units; with more, blocks have too few rows


class Stored(NamedTuple):
    """Parameters of R perceptrons, or their gradients, in one block of memory."""

    numbers: np.ndarray  # [n] float32
    places: np.ndarray  # [2, layers] int64: where weights and biases of each layer begin, of the first learner
    strides: np.ndarray  # [2, layers] int64: from those of a learner to those of the next


class Widths(NamedTuple):
    """The sizes of a perceptron, computed once, as a forward pass of a few steps takes microseconds."""

    each: np.ndarray  # [L + 2] int64: inputs, hidden units of each layer, outputs
    layers: int  # L
    hidden: int  # units of a hidden layer
    outputs: int
    products: int  # multiplications of an observation


class Memory(NamedTuple):
    """The memory that the parameters of a network are in, and memory for their gradients."""

    widths: Widths
    parameters: Stored
    gradients: Stored
    parts: list[Tensor]  # the gradients of each layer's weights, then of each layer's biases: views


NOT_WANTED = Stored(np.empty(0, dtype=np.float32), *np.zeros((2, 2, 0), dtype=np.int64))  # gradients of parameters


def is_for(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> bool:
    """Whether the loops are for these perceptrons: they take less time where there are products of hidden units."""
    hidden = {weight.shape[2] for weight in weights[:-1]}
    widest = max(weights[0].shape[1], *(weight.shape[2] for weight in weights))
    return len(weights) > 2 and bool(biases) and len(hidden) == 1 and widest <= WIDEST


def widths_of(weights: Sequence[Tensor]) -> Widths:
    """The sizes of perceptrons that the loops are for."""
    each = np.array([weights[0].shape[1], *(weight.shape[2] for weight in weights)])
    return Widths(each, len(each) - 2, int(each[1]), int(each[-1]), int(each[:-1] @ each[1:]))


def memory_of(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Memory | None:
    """The memory of parameters; None where they are not parts of one block, or the loops are not for them.

    A `StackedOptimizer` puts all of its parameters into one matrix.
    """
    if weights[0].dtype != torch.float32 or weights[0].device.type != "cpu" or not is_for(weights, biases):
        return None
    tensors = (*weights, *biases)
    memory = weights[0].untyped_storage()
    for tensor in tensors:
        if tensor.untyped_storage().data_ptr() != memory.data_ptr() or not tensor[0].is_contiguous():
            return None
    places = [(int(tensor.storage_offset()), tensor.stride(0)) for tensor in tensors]
    parameters = Stored(torch.empty(0).set_(memory).numpy(), *_columns(places))
    return Memory(widths_of(weights), parameters, *zeros(tensors))


def packed(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Stored:
    """A copy of the parameters in one block of memory."""
    tensors = (*weights, *biases)
    return Stored(torch.cat([tensor.detach().flatten() for tensor in tensors]).numpy(), *_columns(_one_by_one(tensors)))


def zeros(like: Sequence[Tensor]) -> tuple[Stored, list[Tensor]]:
    """Zeros of the shapes of weights, then biases, in one block of memory; and its parts."""
    block = torch.zeros(sum(tensor.numel() for tensor in like))
    parts = [part.view(tensor.shape) for part, tensor in zip(block.split([t.numel() for t in like]), like, strict=True)]
    return Stored(block.numpy(), *_columns(_one_by_one(like))), parts


def _one_by_one(tensors: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Place and stride of each tensor [R, …], where one follows the other."""
    ends = accumulate((tensor.numel() for tensor in tensors), initial=0)
    return [(end, tensor[0].numel()) for end, tensor in zip(ends, tensors, strict=False)]


def _columns(places: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Places and strides of `Stored`."""
    both = np.array(places).reshape(2, -1, 2)
    return np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])
