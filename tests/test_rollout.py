"""The steps of a batch in rows: none lost, none of a neighbour's, none of the padding."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from pg_experiments.tensors.rollout import Finals, FlatIndex
from tests.conftest import rollout_of

MASK = torch.tensor([[[1, 1], [1, 1], [0, 1]], [[1, 0], [1, 1], [0, 1]], [[1, 0], [0, 1], [0, 0]]]).bool()  # [T, R, E]
NUMBERS = 1 + torch.arange(MASK.numel(), dtype=torch.float32).view(MASK.shape)
OF_SEEDS = [[int(NUMBERS[t, r, e]) for t in range(3) for e in range(2) if MASK[t, r, e]] for r in range(3)]


def test_each_seeds_steps_stand_in_order_of_time_and_zeros_after_them():
    index = FlatIndex.of(MASK, block=8)
    rows = index.gather(torch.where(MASK, NUMBERS, math.nan))
    assert rows.tolist() == [[*steps, *[0.0] * (8 - len(steps))] for steps in OF_SEEDS]
    assert index.valid.sum(1).tolist() == [len(steps) for steps in OF_SEEDS]
    assert all(valid.tolist() == sorted(valid.tolist(), reverse=True) for valid in index.valid)


@pytest.mark.parametrize("block", [1, 2, 3, 5])
def test_blocks_have_every_step_once_and_gather_and_scatter_undo_each_other(block):
    index = FlatIndex.of(MASK, block=block)
    parts = [part.gather(NUMBERS) for part in index.blocks()]
    assert all(part.shape == (3, block) for part in parts)
    rows = torch.cat(parts, 1)
    assert [rows[r][index.valid[r]].tolist() for r in range(3)] == OF_SEEDS
    assert torch.equal(index.scatter(index.gather(NUMBERS + 1)), torch.where(MASK, NUMBERS + 1, 0.0))


def test_a_sample_is_spread_over_the_batch_and_has_no_more_steps_than_it_may():
    index = FlatIndex.of(torch.ones(100, 1, 1, dtype=torch.bool), block=10).sample(30)
    assert index.positions.flatten().tolist() == list(range(0, 100, 4))


def test_a_column_that_neither_ends_nor_goes_on_is_cut_off_after_its_last_step():
    rollout = rollout_of(NUMBERS[..., None], NUMBERS.long(), NUMBERS, MASK)
    assert not rollout.cuts.any()
    cuts = dataclasses.replace(rollout, terminated=torch.zeros_like(MASK)).cuts
    lasts = [(n - 1, r, e) for r, of_seed in enumerate(rollout.lengths.tolist()) for e, n in enumerate(of_seed) if n]
    assert sorted(map(tuple, cuts.nonzero().tolist())) == sorted(lasts)


def test_values_of_final_observations_stand_at_the_steps_that_they_followed():
    """The first learner has two of them, the second none, the last one."""
    finals = Finals(
        torch.zeros(3, 2, 1), torch.tensor([[0, 13], [0, 1], [5, 0]]), torch.tensor([[1, 1], [0, 0], [1, 0]]) > 0
    )
    rollout = dataclasses.replace(rollout_of(NUMBERS[..., None], NUMBERS.long(), NUMBERS, MASK), finals=finals)
    placed = rollout.at_finals(torch.arange(1.0, 7.0).view(3, 2))
    assert {(t, r, e): placed[t, r, e].item() for t, r, e in placed.nonzero().tolist()} == {
        (0, 0, 0): 1, (2, 0, 1): 2, (0, 2, 1): 5,
    }  # fmt: skip


def test_returns_and_lengths_of_episodes_count_no_padding():
    rollout = rollout_of(NUMBERS[..., None], NUMBERS.long(), torch.where(MASK, 1.0, math.nan), MASK)
    assert rollout.lengths.tolist() == [[3, 1], [2, 3], [0, 2]]
    assert rollout.episodic_returns.tolist() == [[3, 1], [2, 3], [0, 2]]
    assert [(e.returns.tolist(), e.lengths.tolist()) for e in rollout.episodes] == [
        ([3, 1], [3, 1]), ([2, 3], [2, 3]), ([0, 2], [0, 2]),
    ]  # fmt: skip
