"""One batch of experience.

Axes, here and everywhere: T time steps, R learners, E environments or episodes of a learner, N steps of one learner
without padding. Where a column is shorter than T, `mask` is False, and other values are ignored.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import torch
from torch import Tensor
from torch.nn.functional import pad

from pg_experiments.tensors.graph import Graph
from pg_experiments.tensors.sequences import Sequences, SequenceSteps, padded_length
from pg_experiments.tensors.sparse import SparseRows, SparseSteps, StepsByRow

BLOCK = 128  # steps of each learner in a block
FULL_BLOCK = 4096  # steps in a block where all learners have the same number of steps, and no padding is needed
FULL_NUMBERS = 2**22  # numbers in the observations of such a block at most, so that a block of images has fewer steps
SPARSE_BLOCK = 8192  # likewise for sparse observations; larger, as each block adds to a large first-layer gradient


class Episodes(NamedTuple):
    """Finished episodes of one learner."""

    returns: Tensor  # [G] undiscounted sum of rewards
    lengths: Tensor  # [G] steps


class Finals(NamedTuple):
    """Final observations: those after the last step of M episodes (or segments) of each learner."""

    observations: Tensor | SparseRows | Sequences  # [R, M, *shape]
    positions: Tensor  # [R, M] int64: index of the last step in the flattened [T, R, E]
    valid: Tensor  # [R, M] bool: False for padding

    def parts(self, size: int) -> Iterator[Tensor | SparseRows | Sequences]:
        """Yields the observations in parts [R, size, *shape], so that networks are evaluated on a fixed shape.

        Sparse ones are one part. M is a multiple of the size.
        """
        if isinstance(self.observations, Tensor):
            yield from self.observations.split(size, 1)
        elif isinstance(self.observations, Sequences):
            shown, states = self.observations.observations, self.observations.states
            yield from map(Sequences, shown.split(size, 1), states.split(size, 1))
        else:
            yield self.observations


@dataclass(frozen=True)
class Rollout:
    """One batch of experience of the R learners that took part.

    A column `[:, r, e]` has consecutive steps: one episode, a segment of one, or several.
    """

    learners: Tensor  # [R] int64: indices among the stacked learners
    observations: Tensor | SparseSteps | SequenceSteps  # [T, R, E, *shape] before each action
    actions: Tensor  # [T, R, E, *action_shape]
    rewards: Tensor  # [T, R, E] after each action
    mask: Tensor  # [T, R, E] bool: valid steps; within a column they come first
    terminated: Tensor  # [T, R, E] bool: the environment ended the episode with this step
    truncated: Tensor  # [T, R, E] bool: a time limit truncated the episode after this step
    finals: Finals
    dropout_masks: Tensor | StepsByRow | None  # [T, R, E, L, H] bool: units kept while acting; None without dropout
    outputs: Tensor | None = None  # [T, R, E, K] outputs of the policy network with their graph, if it was kept
    return_ends: Tensor | None = None  # [T, R, E] bool: a return ends, but not its episode (a point of Pong)
    games: list[Episodes] | None = None  # finished episodes of each learner; None: each column is an episode
    full: bool = False  # whether the mask is True everywhere
    action_masks: Tensor | None = None  # [T, R, E, A] bool: actions that were allowed; None where all always are
    graph: Graph | None = None  # the graph through the environment, if it was kept; no other field has it

    def action_masks_at(self, steps: FlatIndex) -> Tensor | None:
        """The action masks [R, N, A] of the steps of an index; None where all actions are allowed."""
        return None if self.action_masks is None else steps.gather(self.action_masks)

    @cached_property
    def ends(self) -> Tensor:
        """[T, R, E] bool: a return ends with this step."""
        return self.terminated if self.return_ends is None else self.terminated | self.return_ends

    @cached_property
    def cuts(self) -> Tensor:
        """[T, R, E] bool: the data ends after this step, but the return does not; it can be bootstrapped."""
        if self.full:
            cut = self.truncated.clone()
            cut[-1] = True
            return cut & ~self.ends
        followed = torch.cat([self.mask[1:], torch.zeros_like(self.mask[:1])])
        return (self.truncated | (self.mask & ~followed)) & ~self.ends

    def at_finals(self, values: Tensor) -> Tensor:
        """Places values [R, M] of final observations at their last steps: [T, R, E], 0 elsewhere."""
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

    @cached_property
    def episodes(self) -> list[Episodes]:
        """The finished episodes of each learner, in order."""
        if self.games is not None:
            return self.games
        return [
            Episodes(returns, lengths)
            for returns, lengths in zip(self.episodic_returns.cpu(), self.lengths.cpu(), strict=True)
        ]

    @cached_property
    def flat(self) -> FlatIndex:
        """The index of valid steps, learner by learner."""
        if isinstance(self.observations, SequenceSteps):
            return FlatIndex.of_sequences(self.mask, self.full)
        if not isinstance(self.observations, Tensor):
            block = full_block = SPARSE_BLOCK
        else:
            numbers = math.prod(self.observations.shape[3:])
            block, full_block = BLOCK, max(1, min(FULL_BLOCK, FULL_NUMBERS // max(1, numbers)))
        if self.full:
            T, R, E = self.mask.shape
            return FlatIndex.of_all((T, R, E), full_block, self.mask.device)
        return FlatIndex.of(self.mask, block)


@dataclass(frozen=True)
class FlatIndex:
    """An index of the valid steps of each learner, which removes the padding between them.

    Networks are evaluated on [R, N] steps, where N is the largest number of steps of a learner, rounded up to whole
    blocks. Gradients are summed block by block, so that matrix products always have the same shape. A learner's results
    are therefore bit-identical for any steps of the R − 1 other learners and any padding. (With another R, matrix
    libraries may round differently.) Blocks also bound the memory.
    """

    shape: tuple[int, int, int]  # T, R, E
    block: int  # steps of each learner in a block
    positions: Tensor  # [R, N] int64: into the flattened [T, R, E]; 0 where valid is False
    valid: Tensor  # [R, N] bool
    full: bool = False  # whether it is True everywhere
    whole: bool = False  # whether the index is that of all entries of [T, R, E], in order
    columns: int | None = None  # E' where the steps are those of E' whole columns, padding included, in order of time

    @classmethod
    @functools.lru_cache(maxsize=8)
    def of_all(cls, shape: tuple[int, int, int], block: int, device: torch.device) -> FlatIndex:
        """Index all entries of [T, R, E], in order of time, then of environment."""
        T, R, E = shape
        positions = torch.arange(T * R * E, device=device).view(T, R, E).transpose(0, 1).reshape(R, T * E)
        valid = torch.ones_like(positions, dtype=torch.bool)
        return cls((T, R, E), min(T * E, block), positions, valid, full=True, whole=True)

    @classmethod
    def of_sequences(cls, mask: Tensor, full: bool) -> FlatIndex:
        """Index whole columns of [T, R, E], in order of time, then of column; padded to blocks of time unless full."""
        T, R, E = mask.shape
        rows = T if full else padded_length(T)
        positions = torch.arange(T * R * E, device=mask.device).view(T, R, E).transpose(0, 1).reshape(R, T * E)
        valid = mask.transpose(0, 1).reshape(R, T * E)
        after = (0, (rows - T) * E)
        return cls((T, R, E), rows * E, pad(positions, after), pad(valid, after), full, columns=E)

    @classmethod
    def of(cls, mask: Tensor, block: int = BLOCK) -> FlatIndex:
        """Index the True entries of `mask` [T, R, E], in order of time, then of episode."""
        T, R, E = mask.shape
        seed_of, within = mask.transpose(0, 1).reshape(R, T * E).nonzero(as_tuple=True)
        counts = mask.sum((0, 2))
        rank = torch.arange(len(within), device=mask.device) - (counts.cumsum(0) - counts)[seed_of]
        N = block * max(1, math.ceil(int(counts.max()) / block))
        positions = torch.zeros(R, N, dtype=torch.int64, device=mask.device)
        positions[seed_of, rank] = within // E * (R * E) + seed_of * E + within % E
        valid = torch.arange(N, device=mask.device) < counts[:, None]
        return cls((T, R, E), block, positions, valid)

    def of_columns(self, mask: Tensor, columns: slice) -> FlatIndex:
        """The index of the steps in some of the columns; `mask` [T, R, E] is the one that this index was made of."""
        if self.columns is not None:
            chosen = torch.arange(self.columns, device=mask.device)[columns]
            return self.of_sequences_at(chosen.expand(len(self.valid), -1))
        if not self.full:
            chosen = torch.zeros_like(mask)
            chosen[:, :, columns] = mask[:, :, columns]
            return FlatIndex.of(chosen, self.block)
        positions = torch.arange(mask.numel(), device=mask.device).view(mask.shape)[:, :, columns]
        positions = positions.transpose(0, 1).reshape(mask.shape[1], -1)
        valid = torch.ones_like(positions, dtype=torch.bool)
        return FlatIndex(self.shape, min(self.block, positions.shape[1]), positions, valid, True)

    def of_sequences_at(self, chosen: Tensor) -> FlatIndex:
        """The index of some of the sequences of each learner: `chosen` [R, C] are their numbers."""
        (R, C), columns = chosen.shape, self.columns
        assert columns is not None, "an index of sequences"
        positions, valid = (
            rows.view(R, -1, columns).gather(2, chosen[:, None].expand(-1, rows.shape[1] // columns, -1))
            for rows in (self.positions, self.valid)
        )
        N = positions.shape[1] * C
        return FlatIndex(self.shape, N, positions.reshape(R, N), valid.reshape(R, N), self.full, columns=C)

    def blocks(self) -> Iterator[FlatIndex]:
        """Yields the index in blocks of `block` steps of each learner."""
        if self.valid.shape[1] == self.block:
            yield self
            return
        for start in range(0, self.valid.shape[1], self.block):
            part = slice(start, start + self.block)
            yield FlatIndex(self.shape, self.block, self.positions[:, part], self.valid[:, part], self.full)

    def folded(self) -> FlatIndex:
        """The blocks of each learner as rows of their own: [R · blocks, block]."""
        return FlatIndex(self.shape, self.block, self.positions.view(-1, self.block), self.valid.view(-1, self.block))

    def sample(self, most: int) -> FlatIndex:
        """At most `most` steps of each learner, evenly spaced over the batch; of sequences, whole ones."""
        if self.columns is not None:
            stride = math.ceil(self.valid.shape[1] / most)
            chosen = torch.arange(0, self.columns, stride, device=self.valid.device)
            return self.of_sequences_at(chosen.expand(len(self.valid), -1))
        stride = math.ceil(self.valid.shape[1] / most)
        return FlatIndex(self.shape, self.block, self.positions[:, ::stride], self.valid[:, ::stride])

    def spread(self, count: int) -> FlatIndex:
        """Exactly `count` steps of each learner, evenly spaced over its own; repeated where it has fewer."""
        counts = self.valid.sum(1, keepdim=True)
        places = torch.arange(count, device=counts.device) * counts // count
        return FlatIndex(self.shape, self.block, self.positions.gather(1, places), counts.expand(-1, count) > 0)

    @overload
    def gather(self, per_step: Tensor | StepsByRow) -> Tensor: ...
    @overload
    def gather(self, per_step: SparseSteps) -> SparseRows: ...
    @overload
    def gather(self, per_step: SequenceSteps) -> Tensor | Sequences: ...
    def gather(self, per_step: Tensor | SparseSteps | SequenceSteps | StepsByRow) -> Tensor | SparseRows | Sequences:
        """[T, R, E, *rest] -> [R, N, *rest], 0 where `valid` is False (undefined for booleans)."""
        if isinstance(per_step, SequenceSteps):
            return self._sequences(per_step)
        if not isinstance(per_step, Tensor):
            return per_step.take(self.positions, self.valid)
        if self.whole:
            return per_step.transpose(0, 1).flatten(1, 2)
        R, N = self.positions.shape
        rest = per_step.shape[3:]
        rows = per_step.reshape(-1, *rest).index_select(0, self.positions.flatten()).view(R, N, *rest)
        # the values of dropout masks do not matter where there is no step
        return rows if rows.dtype == torch.bool else self.without_padding(rows)

    def _sequences(self, steps: SequenceSteps) -> Tensor | Sequences:
        """The sequences of whole columns; otherwise the observations alone."""
        if self.columns is None:
            return self.without_padding(steps.of_steps(self.positions))
        return steps.take(self.positions, self.columns).changed(self.without_padding)

    def gather_each(self, per_step: Tensor) -> Tensor:
        """[K, T, R, E] -> [K, R, N], 0 where `valid` is False; always a copy."""
        R, N = self.positions.shape
        if self.whole:
            return per_step.transpose(1, 2).reshape(-1, R, N).clone()
        rows = per_step.flatten(1).index_select(1, self.positions.flatten()).view(-1, R, N)
        return rows if self.full else torch.where(self.valid, rows, 0.0)

    def without_padding(self, rows: Tensor) -> Tensor:
        """[R, N, *rest] with 0 where `valid` is False."""
        if self.full:
            return rows
        valid = self.valid.view(*self.valid.shape, *(1 for _ in rows.shape[2:]))
        return torch.where(valid, rows, torch.zeros((), dtype=rows.dtype, device=rows.device))

    @cached_property
    def counts(self) -> Tensor:
        """[R] int64: number of steps of each learner."""
        return self.valid.sum(1)

    def scatter(self, rows: Tensor) -> Tensor:
        """[R, N] -> [T, R, E], 0 where there is no step."""
        T, R, E = self.shape
        if self.whole:
            return rows.view(R, T, E).transpose(0, 1)
        flat = rows.new_zeros(T * R * E)
        flat[self.positions[self.valid]] = rows[self.valid]
        return flat.view(T, R, E)
