"""From the rows of a tape to a rollout: each point or episode becomes a column."""

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

    id: int  # that its rows bear
    terminated: bool
    truncated: bool  # then its last row is what stood there afterwards, and no step


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
    """The rollout of a batch.

    Args:
        batch: [R][E] points or episodes.
        recorded: where their rows are from; columns of observations modulo `size`.
        learners: [R] whose they are, by index.
        size: D, pixels of an observation.
        points_within: whether every reward ends a return, though the column may go on.
        games: per learner the episodes that ended, where columns are points; else None.
        device: where the rollout goes.
    """
    R, E = len(batch), len(batch[0])
    units = [unit for of_seed in batch for unit in of_seed]
    truncated = np.array([unit.truncated for unit in units])
    of_units = np.argsort(recorded.units, kind="stable")
    bounds = np.searchsorted(recorded.units[of_units], [(unit.id, unit.id + 1) for unit in units])  # [R · E, 2]
    counts = bounds[:, 1] - bounds[:, 0]
    rows = recorded[of_units[ranges(bounds[:, 0], counts)]]
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
