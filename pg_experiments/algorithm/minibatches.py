"""Mini-batches: the steps of a batch (or its columns), shuffled and divided for each learner by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from pg_experiments.tensors.rollout import FlatIndex
from pg_experiments.tensors.streams import Purpose, numpy_stream


def minibatches(flat: FlatIndex, count: int, epochs: int, seeds: Sequence[int], update: int) -> Iterator[FlatIndex]:
    """Yields `epochs` × `count` mini-batches, which divide the steps of a batch anew in each epoch.

    Sizes differ by at most one step. A recurrent policy's mini-batches have whole columns, whose numbers differ by at
    most one. A learner's order is drawn from the stream of its seed and the update. A single
    mini-batch is the batch itself, in its own order.

    Args:
        flat: the index of the batch's steps.
        count: number of mini-batches; at most the number of steps of each learner.
        epochs: passes over the batch.
        seeds: [R] of the learners that took part.
        update: index of the update.
    """
    if count == 1:
        yield from [flat] * epochs
        return
    streams = [numpy_stream(seed, Purpose.MINIBATCHES, update) for seed in seeds]
    sizes = flat.valid.sum(1).tolist() if flat.columns is None else [flat.columns] * len(seeds)
    for _ in range(epochs):
        orders = [stream.permutation(size) for stream, size in zip(streams, sizes, strict=True)]
        for part in range(count):
            places = [order[_place(part, order, count) : _place(part + 1, order, count)] for order in orders]
            if flat.columns is None:
                yield _chosen(flat, places)
            else:
                yield flat.of_sequences_at(torch.from_numpy(np.stack(places)).to(flat.positions.device))


def _place(part: int, order: np.ndarray, count: int) -> int:
    """Where the mini-batch with this index begins."""
    return part * len(order) // count


def _chosen(flat: FlatIndex, places: Sequence[np.ndarray]) -> FlatIndex:
    """The steps at these places [R][n] of each learner, padded to whole blocks where their numbers may differ."""
    if flat.full:
        rows = np.stack(places)
        block = rows.shape[1]
        valid = flat.valid[:, :block]
    else:
        sizes = np.array([len(chosen) for chosen in places])
        block = flat.block
        rows = np.zeros((len(places), block * max(1, math.ceil(int(sizes.max()) / block))), dtype=np.int64)
        for row, chosen in zip(rows, places, strict=True):
            row[: len(chosen)] = chosen
        valid = torch.from_numpy(np.arange(rows.shape[1]) < sizes[:, None]).to(flat.positions.device)
    index = torch.from_numpy(rows).to(flat.positions.device)
    return FlatIndex(flat.shape, block, flat.positions.gather(1, index), valid, flat.full)
