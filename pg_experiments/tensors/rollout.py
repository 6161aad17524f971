"""The shapes: what one batch of experience holds.

Axes, here and everywhere: T time steps, R seeds (stacked learners), E episodes per seed, N steps of one seed in
a row. A column `[:, r, e]` is one whole episode, or one whole point of a game that goes on; where it is shorter
than T, `mask` is False and what stands there counts nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import torch
from torch import Tensor

from pg_experiments.tensors.sparse import SparseRows, SparseSteps, StepsByRow

BLOCK = 128  # steps of each seed that are learned from at a time
SPARSE_BLOCK = 8192  # likewise of sparse ones, whose first layer is large: every block adds to all of its gradient


class Episodes(NamedTuple):
    """Episodes of one seed that ended."""

    returns: Tensor  # [G] undiscounted sum of rewards
    lengths: Tensor  # [G] steps


@dataclass(frozen=True)
class Rollout:
    """One batch of whole episodes (or points), each complete to the end of its return.

    R counts the learners that took part; a seed that has stopped is not among them.
    """

    learners: Tensor  # [R] int64: which of the stacked learners these are
    observations: Tensor | SparseSteps  # [T, R, E, D] what the policy saw
    actions: Tensor  # [T, R, E] int64, what it did
    rewards: Tensor  # [T, R, E] what followed
    mask: Tensor  # [T, R, E] bool: this step was played
    terminated: Tensor  # [R, E] bool: the episode reached an end of its own
    truncated: Tensor  # [R, E] bool: a time limit cut it off
    final_observations: Tensor | SparseRows  # [R, E, D] what stood there after the last step
    dropout_masks: Tensor | StepsByRow | None  # [T, R, E, L, H] bool: units kept while acting; None without dropout
    logits: Tensor | None = None  # [T, R, E, K] with their graph, where it was kept while acting
    return_ends: Tensor | None = None  # [T, R, E] bool: a return ends here (a point); None: with the column alone
    games: list[Episodes] | None = None  # per learner, the episodes that ended; None: the columns are the episodes

    @property
    def lengths(self) -> Tensor:
        """[R, E] int64: steps of each episode."""
        return self.mask.sum(0)

    @property
    def episodic_returns(self) -> Tensor:
        """[R, E]: undiscounted sum of rewards of each episode."""
        return torch.where(self.mask, self.rewards, 0.0).sum(0)

    @property
    def episodes(self) -> list[Episodes]:
        """Per learner, the environment's episodes that ended with this batch, in their order."""
        if self.games is not None:
            return self.games
        return [
            Episodes(returns, lengths)
            for returns, lengths in zip(self.episodic_returns.cpu(), self.lengths.cpu(), strict=True)
        ]

    @cached_property
    def flat(self) -> FlatIndex:
        """Where the steps that were played lie, seed by seed."""
        return FlatIndex.of(self.mask, BLOCK if isinstance(self.observations, Tensor) else SPARSE_BLOCK)


@dataclass(frozen=True)
class FlatIndex:
    """The played steps of each seed in a row, without the padding between them.

    A network then works on [R, N] steps, N being the most that any seed played, in whole blocks. Gradients are
    summed block by block, so every product of matrices has the same shape whatever the R − 1 neighbours played and
    however a batch was padded: neither can change a bit of what a seed learns. (With another R, matrix libraries
    may round differently.) It also bounds the memory.
    """

    shape: tuple[int, int, int]  # T, R, E
    block: int  # steps of each seed in a block
    positions: Tensor  # [R, N] int64: into the flattened [T, R, E]; 0 where valid is False
    valid: Tensor  # [R, N] bool

    @classmethod
    def of(cls, mask: Tensor, block: int = BLOCK) -> FlatIndex:
        """Index the True places of `mask` [T, R, E], in order of time and then of episode."""
        T, R, E = mask.shape
        seed_of, within = mask.transpose(0, 1).reshape(R, T * E).nonzero(as_tuple=True)
        counts = mask.sum((0, 2))
        rank = torch.arange(len(within), device=mask.device) - (counts.cumsum(0) - counts)[seed_of]
        N = block * max(1, math.ceil(int(counts.max()) / block))
        positions = torch.zeros(R, N, dtype=torch.int64, device=mask.device)
        positions[seed_of, rank] = within // E * (R * E) + seed_of * E + within % E
        valid = torch.arange(N, device=mask.device) < counts[:, None]
        return cls((T, R, E), block, positions, valid)

    def blocks(self) -> Iterator[FlatIndex]:
        """The same steps, `block` of each seed at a time."""
        for start in range(0, self.valid.shape[1], self.block):
            part = slice(start, start + self.block)
            yield FlatIndex(self.shape, self.block, self.positions[:, part], self.valid[:, part])

    def sample(self, most: int) -> FlatIndex:
        """At most so many of each seed's steps, evenly over the batch."""
        stride = math.ceil(self.valid.shape[1] / most)
        return FlatIndex(self.shape, self.block, self.positions[:, ::stride], self.valid[:, ::stride])

    def spread(self, count: int) -> FlatIndex:
        """Exactly so many of each seed's own steps, evenly over them; some more than once where it has fewer."""
        counts = self.valid.sum(1, keepdim=True)
        places = torch.arange(count, device=counts.device) * counts // count
        return FlatIndex(self.shape, self.block, self.positions.gather(1, places), counts.expand(-1, count) > 0)

    @overload
    def gather(self, per_step: Tensor | StepsByRow) -> Tensor: ...
    @overload
    def gather(self, per_step: SparseSteps) -> SparseRows: ...
    def gather(self, per_step: Tensor | SparseSteps | StepsByRow) -> Tensor | SparseRows:
        """[T, R, E, *rest] -> [R, N, *rest], zeros where no step is (or anything, for booleans)."""
        if not isinstance(per_step, Tensor):
            return per_step.take(self.positions, self.valid)
        rest = per_step.shape[3:]
        rows = per_step.reshape(-1, *rest)[self.positions]
        if rows.dtype == torch.bool:
            return rows  # a mask of hidden units: any will do where no step is
        valid = self.valid.view(*self.valid.shape, *(1 for _ in rest))
        return torch.where(valid, rows, torch.zeros((), dtype=rows.dtype, device=rows.device))

    def scatter(self, rows: Tensor) -> Tensor:
        """[R, N] -> [T, R, E], zeros where no step is."""
        T, R, E = self.shape
        flat = rows.new_zeros(T * R * E)
        flat[self.positions[self.valid]] = rows[self.valid]
        return flat.view(T, R, E)
