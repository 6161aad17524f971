"""One batch of experience.

Axes, here and everywhere: T time steps, R learners, E environments or episodes of a learner, N steps of one learner
in a row. Where a column is shorter than T, `mask` is False, and the numbers there count nowhere.
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


class Finals(NamedTuple):
    """What was observed after the last step of M episodes (or fragments) of each learner."""

    observations: Tensor | SparseRows  # [R, M, *shape]
    positions: Tensor  # [R, M] int64: that last step, in the flattened [T, R, E]
    valid: Tensor  # [R, M] bool: whether there is such an episode


@dataclass(frozen=True)
class Rollout:
    """One batch of experience of the R learners that took part.

    A column `[:, r, e]` holds steps that follow one another: one episode, a part of one, or several.
    """

    learners: Tensor  # [R] int64: index of each among the stacked learners
    observations: Tensor | SparseSteps  # [T, R, E, *shape] seen before each action
    actions: Tensor  # [T, R, E, *action_shape]
    rewards: Tensor  # [T, R, E] received after each action
    mask: Tensor  # [T, R, E] bool: this step was played; the steps of a column come first
    terminated: Tensor  # [T, R, E] bool: the environment ended the episode with this step
    truncated: Tensor  # [T, R, E] bool: a time limit cut the episode off after this step
    finals: Finals
    dropout_masks: Tensor | StepsByRow | None  # [T, R, E, L, H] bool: units kept while acting; None without dropout
    outputs: Tensor | None = None  # [T, R, E, K] the policy network's, with their graph, where it was kept
    return_ends: Tensor | None = None  # [T, R, E] bool: a return ends here and the episode goes on (a point of Pong)
    games: list[Episodes] | None = None  # per learner, the episodes that ended; None: each column is one

    @cached_property
    def ends(self) -> Tensor:
        """[T, R, E] bool: a return ends with this step, and nothing that follows belongs to it."""
        return self.terminated if self.return_ends is None else self.terminated | self.return_ends

    @cached_property
    def cuts(self) -> Tensor:
        """[T, R, E] bool: the data ends after this step, and the return goes on; a value may stand for the rest."""
        followed = torch.cat([self.mask[1:], torch.zeros_like(self.mask[:1])])
        return (self.truncated | (self.mask & ~followed)) & ~self.ends

    def at_finals(self, values: Tensor) -> Tensor:
        """[R, M] of the final observations -> [T, R, E]: each at the step that it followed, 0 elsewhere."""
        placed = values.new_zeros(self.mask.numel())
        placed[self.finals.positions[self.finals.valid]] = values[self.finals.valid]
        return placed.view(self.mask.shape)

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
        """Where the steps that were played lie, learner by learner."""
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
