"""Converts rows of a tape to a rollout: each point or episode becomes a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pg_experiments.collect.tape import Rows, ranges
from pg_experiments.tensors.rollout import Episodes, Finals, Rollout
from pg_experiments.tensors.sparse import SparseSteps, StepsByRow


@dataclass(frozen=True)
class Unit:
    """A point or an episode, and how it ended."""

    id: int  # value of `Rows.units` in its rows
    terminated: bool
    truncated: bool  # then its last row is the final observation, not a step


def assemble(
    batch: list[list[Unit]],
    recorded: Rows,
    *,
    learners: np.ndarray,
    size: int,
    points_within: bool,
    games: list[Episodes] | None,
    device: torch.device,
) -> Rollout:
    """Assembles the rollout of a batch.

    Args:
        batch: [R][E] points or episodes.
        recorded: all recorded rows; their `columns` are taken modulo `size`.
        learners: [R] indices of the learners.
        size: D, number of pixels of an observation.
        points_within: whether every non-zero reward ends a return within its column.
        games: finished episodes of each learner where columns are points; else None.
        device: device of the rollout.
    """
    R, E = len(batch), len(batch[0])
    units = [unit for learner_units in batch for unit in learner_units]
    truncated = np.array([unit.truncated for unit in units])
    order = np.argsort(recorded.units, kind="stable")
    bounds = np.searchsorted(recorded.units[order], [(unit.id, unit.id + 1) for unit in units])  # [R · E, 2]
    counts = bounds[:, 1] - bounds[:, 0]
    rows = recorded[order[ranges(bounds[:, 0], counts)]]
    firsts, lengths = np.cumsum(counts) - counts, counts - truncated
    steps = np.arange(lengths.max())[:, None]  # [T, 1]
    mask = steps < lengths
    last = steps == lengths - 1
    row_of = np.where(mask, firsts + steps, 0)  # [T, R · E]

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    def columns(array: np.ndarray) -> Tensor:
        return tensor(array).view(*array.shape[:-1], R, E)

    row_of_steps = columns(row_of)
    rewards = np.where(mask, rows.rewards[row_of], np.float32(0))
    observations = SparseSteps(
        tensor(rows.columns % size),
        tensor(rows.values),
        tensor(np.concatenate([[0], np.cumsum(rows.counts)])),
        row_of_steps,
        size,
    )
    return Rollout(
        learners=tensor(learners),
        observations=observations,
        actions=columns(np.where(mask, rows.actions[row_of], 0)),
        rewards=columns(rewards),
        mask=columns(mask),
        terminated=columns(last & np.array([unit.terminated for unit in units])),
        truncated=columns(last & truncated),
        finals=Finals(
            observations.rows(columns(firsts + lengths * truncated), columns(truncated)),
            columns((lengths - 1) * (R * E) + np.arange(R * E)),
            columns(truncated),
        ),
        dropout_masks=None if rows.masks is None else StepsByRow(tensor(rows.masks), row_of_steps),
        return_ends=columns(rewards != 0) if points_within else None,
        games=games,
    )
