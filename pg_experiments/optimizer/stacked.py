"""One gradient step for R learners at once, each with its own clipping, its own learning rate and its own end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.optimizer.rules import Rule

NamedParameters = Iterable[tuple[str, nn.Parameter]]


def gradient_norms(parameters: Iterable[nn.Parameter]) -> Tensor:
    """[R]: the Euclidean norm of each seed's whole gradient."""
    squares = [_gradient(p).square().flatten(1).sum(1) for p in parameters]
    return torch.stack(squares).sum(0).sqrt()


class Step(NamedTuple):
    """The outcome of a gradient step."""

    losses: Tensor  # [R]
    norms: Tensor  # [R] of their gradients, before clipping
    broken: dict[int, str]  # learner -> what of it was not finite; its parameters are those of before the step


@dataclass(frozen=True)
class Move:
    """A step of some learners [r] in one parameter: computed, not yet written."""

    name: str
    parameter: nn.Parameter  # [R, …]
    before: Tensor  # [r, …]
    after: Tensor  # [r, …]
    moments: list[Tensor]  # [r, …] after the step


class StackedOptimizer:
    """A rule on stacked parameters, with what must not mix learners done for each of them.

    A learner that takes no part in a step keeps parameters, moments and count of steps to the last bit. The step of
    each other one is scaled by a factor of its own, the schedule's: the step of every rule is proportional to its
    learning rate. The step of a learner whose loss, gradient or new parameters are not finite is undone.
    """

    def __init__(self, parameters: NamedParameters, rule: Rule, max_grad_norm: float | None = None) -> None:
        self.parameters = dict(parameters)
        self.rule = rule
        self.max_grad_norm = max_grad_norm
        first = next(iter(self.parameters.values()))
        self.device, self.dtype = first.device, first.dtype  # of all parameters
        self.counts = torch.zeros(len(first), dtype=torch.int64)  # [R] steps of each learner; on the CPU
        self.moments = {
            name: [torch.zeros_like(parameter, requires_grad=False) for _ in range(rule.moments)]
            for name, parameter in self.parameters.items()
        }

    def step(self, losses: Iterable[Tensor], learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Follow the gradients of the losses.

        Args:
            losses: parts [R] of a sum. Each one's graph is gone before the next is asked for.
            learners: [R] whose they are, by index in ascending order.
            factors: [R] what each step is scaled by; a learner whose factor is 0 takes no part.
        """
        for parameter in self.parameters.values():
            parameter.grad = None
        total = torch.zeros(len(learners), device=self.device)
        for loss in losses:
            loss.sum().backward()
            total += loss.detach()
        norms = gradient_norms(self.parameters.values())
        if self.max_grad_norm is not None:
            scale = (self.max_grad_norm / norms.clamp(min=1e-12)).clamp(max=1.0)
            scale = torch.where(norms.isfinite(), scale, 1.0)  # else it would hide which one is broken
            for parameter in self.parameters.values():
                _gradient(parameter).mul_(scale.view(-1, *(1 for _ in parameter.shape[1:])))
        norms = _rows(norms, self._index(learners))
        scales = {learner: factor for learner, factor in zip(learners, factors, strict=True) if factor}
        moves = self._moves(scales)
        broken: dict[int, str] = {}
        if not all_finite([total, norms, *(move.after for move in moves)]):
            broken = self._undo(moves, list(scales), dict(zip(learners, zip(total, norms, strict=True), strict=True)))
        self._write(moves, list(scales))
        return Step(total, norms, broken)

    @torch.no_grad()
    def _moves(self, scales: Mapping[int, float]) -> list[Move]:
        """The steps of these learners in each parameter, scaled."""
        if not scales:
            return []
        index = self._index(list(scales))
        factors = self.rule.factors([count + 1 for count in self.counts.tolist()])[:, list(scales)]
        factors = np.vstack([factors, list(scales.values())])
        rows = self._on_device(torch.from_numpy(factors).to(self.dtype))  # [K + 1, r]
        is_scaled = any(factor != 1 for factor in scales.values())
        moves = []
        for name, parameter in self.parameters.items():
            before, gradient = _rows(parameter.detach(), index), _rows(_gradient(parameter), index)
            moments = [_rows(moment, index) for moment in self.moments[name]]
            *of_rule, scale = rows.view(*rows.shape, *(1 for _ in before.shape[1:])).unbind()
            after = self.rule.moved(before, gradient, moments, of_rule)
            if is_scaled:
                after = torch.lerp(before, after, scale)
            moves.append(Move(name, parameter, before, after, moments))
        return moves

    @torch.no_grad()
    def _undo(
        self, moves: list[Move], stepping: list[int], sizes: Mapping[int, tuple[Tensor, Tensor]]
    ) -> dict[int, str]:
        """Undo the step of each learner that broke. Returns them, each with what is not finite.

        `stepping` [r] are the learners of the moves, `sizes` the loss and the norm of the gradient of every learner of
        the batch. The moments of a broken one are emptied: it never steps again, and an infinity would stay there.
        """
        broken: dict[int, str] = {}
        for learner, (loss, norm) in sizes.items():
            row = stepping.index(learner) if learner in stepping else None
            what = self._not_finite(learner, row, moves, loss, norm)
            if what is None:
                continue
            broken[learner] = what
            for parameter in self.parameters.values():
                _gradient(parameter)[learner] = 0
            for move in moves if row is not None else ():
                move.after[row] = move.before[row]
                for moment in move.moments:
                    moment[row] = 0
        return broken

    def _not_finite(self, learner: int, row: int | None, moves: list[Move], loss: Tensor, norm: Tensor) -> str | None:
        """The first of a learner's tensors that is not finite: what comes later may only follow from it."""
        if not loss.isfinite():
            return "loss"
        for name, parameter in self.parameters.items():
            if not _gradient(parameter)[learner].isfinite().all():
                return f"gradient of {name}"
        if not norm.isfinite():
            return "norm of the gradient"
        for move in moves if row is not None else ():
            if not move.after[row].isfinite().all():
                return f"parameter {move.name}"
        return None

    @torch.no_grad()
    def _write(self, moves: list[Move], stepping: list[int]) -> None:
        """Make the steps."""
        index = self._index(stepping)
        self.counts[stepping] += 1
        for move in moves:
            if index is None:
                move.parameter.copy_(move.after)  # the moments are the stored ones themselves
                continue
            move.parameter.index_copy_(0, index, move.after)
            for stored, moment in zip(self.moments[move.name], move.moments, strict=True):
                stored.index_copy_(0, index, moment)

    def _index(self, learners: Sequence[int]) -> Tensor | None:
        """[r] int64 on the device; None for all learners."""
        return None if len(learners) == len(self.counts) else self._on_device(torch.tensor(learners))

    def _on_device(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)  # or it would wait for the gradients

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: moments and counts of steps. The settings are the config's."""
        return {"counts": self.counts, "moments": self.moments}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state. Raises ValueError where it is that of other parameters or of another rule."""
        if "counts" not in state:
            raise ValueError("its optimizer state is that of version 0.1, which kept one count for all learners")
        stored = {"counts": [self.counts], **self.moments}
        saved = {"counts": [state["counts"]], **state["moments"]}
        shapes = [{name: [each.shape for each in of] for name, of in tensors.items()} for tensors in (stored, saved)]
        if shapes[0] != shapes[1]:
            raise ValueError("its optimizer state is that of other parameters or of another optimizer")
        for name, tensors in stored.items():
            for tensor, value in zip(tensors, saved[name], strict=True):
                tensor.copy_(value)


@torch.no_grad()
def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every number is finite, from the least and the greatest of each tensor: one pass, and one wait."""
    return bool(torch.stack([bound for tensor in tensors for bound in torch.aminmax(tensor)]).isfinite().all())


def _gradient(parameter: nn.Parameter) -> Tensor:
    """The gradient; zeros where no loss depends on the parameter."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _rows(tensor: Tensor, index: Tensor | None) -> Tensor:
    """The rows [r] of some learners; the tensor itself where they are all."""
    return tensor if index is None else tensor.index_select(0, index)
