"""Mini-batches: each epoch divides the steps of each learner anew, in an order of the learner's own."""

from __future__ import annotations

import itertools

import pytest
import torch

from pg_experiments.algorithm.minibatches import minibatches
from pg_experiments.tensors.rollout import FULL_BLOCK, FlatIndex

INDICES = {
    "fragments": FlatIndex.of_all(torch.ones(8, 3, 4, dtype=torch.bool), FULL_BLOCK),
    "episodes": FlatIndex.of(torch.arange(9)[:, None, None] < torch.tensor([[9, 2, 5, 7], [1, 1, 2, 3], [4, 4, 4, 4]])),
}


@pytest.mark.parametrize("count", [1, 2, 4, 7])
@pytest.mark.parametrize("name", INDICES)
def test_the_mini_batches_of_an_epoch_divide_the_steps_of_each_learner(name, count):
    """Evenly for fragments, whose 32 steps are divided by 8 instead of 7."""
    index, count = INDICES[name], 8 if (name, count) == ("fragments", 7) else count
    parts = list(minibatches(index, count, 3, [5, 6, 7], 2))
    assert len(parts) == 3 * count
    for r in range(3):
        every = sorted(index.positions[r][index.valid[r]].tolist())
        chosen = [part.positions[r][part.valid[r]].tolist() for part in parts]
        for epoch in range(3):
            of_epoch = chosen[epoch * count : (epoch + 1) * count]
            assert sorted(itertools.chain(*of_epoch)) == every
            assert max(map(len, of_epoch)) - min(map(len, of_epoch)) <= 1
        if count > 1:
            assert chosen[:count] != chosen[count : 2 * count], "each epoch has an order of its own"


def test_the_order_of_a_learner_depends_on_its_seed_and_the_update_only():
    def orders(index: FlatIndex, seeds: list[int], update: int, r: int) -> list[list[int]]:
        parts = minibatches(index, 4, 2, seeds, update)
        R = index.shape[1]
        return [(part.positions[r][part.valid[r]] // R).tolist() for part in parts]  # free of the learner's place

    one, three = (FlatIndex.of_all(torch.ones(8, R, 1, dtype=torch.bool), FULL_BLOCK) for R in (1, 3))
    alone = orders(one, [6], 2, 0)
    assert orders(three, [5, 6, 9], 2, 1) == alone
    assert orders(three, [6, 5, 9], 2, 0) == alone
    assert orders(one, [7], 2, 0) != alone
    assert orders(one, [6], 3, 0) != alone


def test_every_order_of_mini_batches_is_equally_likely():
    """The 24 orders of 4 steps in 2,400 updates: χ² with 23 degrees of freedom is above 49.7 in 1 of 1,000 tries."""
    index = FlatIndex.of_all(torch.ones(4, 1, 1, dtype=torch.bool), FULL_BLOCK)
    counts: dict[tuple[int, ...], int] = {}
    for update in range(2400):
        order = tuple(int(part.positions[0, 0]) for part in minibatches(index, 4, 1, [0], update))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 49.7
