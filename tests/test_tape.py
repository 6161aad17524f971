"""From recorded rows to columns: whose they are, what was paid, and where a column ends."""

from __future__ import annotations

import numpy as np
import torch

from pg_experiments.collect.assembly import Unit, assemble
from pg_experiments.collect.tape import Rows, Tape, ranges
from pg_experiments.env.screens import Look
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import dense_of

SIZE = 5  # pixels
UNITS = np.array([7, 8, 7, 9, 8, 7, 9, 7])  # of each recorded step: point 7 has four, 8 and 9 two each
PAID = np.array([0, 0, 0, 0, 1, 0, 0, -1], dtype=np.float32)


def recorded() -> Rows:
    """Step i has i numbers that are not zero, in the first pixels, and the action i."""
    counts = np.arange(8) % 5
    columns = np.concatenate([np.arange(count) for count in counts]).astype(np.int32)
    values = np.concatenate([np.full(count, i + 1) for i, count in enumerate(counts)]).astype(np.int8)
    masks = np.eye(8, dtype=np.bool_)[:, None]
    return Rows(columns, values, counts, np.arange(8), PAID.copy(), UNITS.copy(), masks)


def batch(**changes) -> Rollout:
    """Points 9 and 7 of one seed, and 8 of another, which has it twice; 9 was cut off by a time limit."""
    units = [[Unit(9, False, True), Unit(7, True, False)], [Unit(8, True, False), Unit(8, True, False)]]
    values = {"learners": np.array([3, 1]), "size": SIZE, "points_within": False, "games": None}
    return assemble(units, recorded(), device=torch.device("cpu"), **values | changes)


def test_a_column_has_the_steps_of_its_own_point_in_their_order_and_a_cut_off_one_ends_before_its_last_row():
    rollout = batch()
    assert rollout.learners.tolist() == [3, 1]
    assert rollout.lengths.tolist() == [[1, 4], [2, 2]]
    columns = {(r, e): rollout.actions[rollout.mask[:, r, e], r, e].tolist() for r in range(2) for e in range(2)}
    assert columns == {(0, 0): [3], (0, 1): [0, 2, 5, 7], (1, 0): [1, 4], (1, 1): [1, 4]}
    assert rollout.rewards[:, 0, 1].tolist() == [0, 0, 0, -1]
    assert rollout.rewards[:, 1, 0].tolist() == [0, 1, 0, 0]
    last = rollout.lengths - 1
    for name, expected in (
        ("terminated", [[False, True], [True, True]]),
        ("truncated", [[True, False], [False, False]]),
    ):
        ends = getattr(rollout, name)
        assert ends.gather(0, last[None])[0].tolist() == expected
        assert int(ends.sum()) == sum(map(sum, expected)), "an end is that of the last step"
    assert rollout.return_ends is None


def test_what_stood_after_a_cut_off_column_is_its_last_row_and_nothing_after_one_that_ended():
    rollout = batch()
    assert rollout.finals.valid.tolist() == [[True, False], [False, False]]
    assert rollout.at_finals(torch.ones(2, 2)).nonzero().tolist() == [[0, 0, 0]], "after its only step"
    final = dense_of(rollout.finals.observations)
    assert final[0, 0].tolist() == [7, 0, 0, 0, 0], "step 6 has one number"
    assert not final[0, 1].any()
    assert not final[1].any()


def test_observations_and_masks_of_a_step_are_its_own():
    rollout = batch()
    index = rollout.flat
    seen, kept = dense_of(index.gather(rollout.observations)), index.gather(rollout.dropout_masks)
    actions = index.gather(rollout.actions)
    for r in range(2):
        for n in np.flatnonzero(index.valid[r]):
            step = int(actions[r, n])
            count = step % 5
            assert seen[r, n].tolist() == [step + 1.0] * count + [0.0] * (5 - count)
            assert kept[r, n].tolist() == [[column == step for column in range(8)]]
        assert not seen[r][~index.valid[r]].any()


def test_every_reward_ends_a_return_inside_a_column_of_a_whole_game():
    assert torch.equal(batch(points_within=True).return_ends, batch().rewards != 0)


def test_rows_are_paid_by_their_numbers_also_after_what_was_used_is_gone():
    nothing = Look(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int8), np.zeros(3, dtype=np.int64))
    which, first = np.array([[True, False, True]]), Tape()
    units = np.array([[4, 5, 6]])
    assert first.record(nothing, which, np.array([[1, 2, 3]]), units, None).tolist() == [0, 1]
    assert first.record(nothing, which, np.array([[7, 8, 9]]), units, None).tolist() == [2, 3]
    first.pay(np.array([2, 1]), np.array([-1.0, 1.0]))
    rows = first.rows()
    assert rows.rewards.tolist() == [0, 1, -1, 0]
    assert (rows.units.tolist(), rows.actions.tolist()) == ([4, 6, 4, 6], [1, 3, 7, 9])
    second = Tape(rows[np.array([1, 3])])
    assert second.record(nothing, which, np.array([[0, 0, 0]]), units, None).tolist() == [2, 3]
    second.pay(np.array([1, 2]), np.array([1.0, -1.0]))
    assert second.rows().rewards.tolist() == [1, 1, -1, 0]
    assert Tape.of(second.state()).rows().units.tolist() == [6, 6, 4, 6]


def test_ranges_follow_each_other():
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
