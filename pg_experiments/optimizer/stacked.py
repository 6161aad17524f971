"""Gradient steps of stacked learners, with separate clipping, learning rate and failure handling for each learner."""

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
    """[R]: the Euclidean norm of each learner's gradient over all parameters."""
    squares = [_gradient(p).square().flatten(1).sum(1) for p in parameters]
    return torch.stack(squares).sum(0).sqrt()


class Step(NamedTuple):
    """The outcome of a gradient step."""

    losses: Tensor  # [R]
    norms: Tensor  # [R] gradient norms before clipping
    broken: dict[int, str]  # learner -> its non-finite quantity; its parameters are those from before the step


@dataclass(frozen=True)
class Move:
    """The step of some learners [r] in one parameter, computed but not yet written."""

    name: str
    parameter: nn.Parameter  # [R, …]
    before: Tensor  # [r, …]
    after: Tensor  # [r, …]
    moments: list[Tensor]  # [r, …] after the step


class StackedOptimizer:
    """Applies an update rule to stacked parameters without mixing learners.

    Parameters, moments and step count of a learner that takes no part in a step do not change. The step of each other
    learner is scaled by the factor of its schedule, which is exact as the step of every rule is proportional to the
    learning rate. The step of a learner whose loss, gradient or new parameters are not finite is undone.
    """

    def __init__(self, parameters: NamedParameters, rule: Rule, max_grad_norm: float | None = None) -> None:
        self.parameters = dict(parameters)
        self.rule = rule
        self.max_grad_norm = max_grad_norm
        first = next(iter(self.parameters.values()))
        self.device, self.dtype = first.device, first.dtype  # of all parameters
        self.counts = torch.zeros(len(first), dtype=torch.int64)  # [R] step count of each learner; on the CPU
        self.moments = {
            name: [torch.zeros_like(parameter, requires_grad=False) for _ in range(rule.moments)]
            for name, parameter in self.parameters.items()
        }

    def step(self, losses: Iterable[Tensor], learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Make one gradient step.

        Args:
            losses: terms [R] of the losses. The graph of each is freed before the next one is generated.
            learners: [R] indices of the learners, ascending.
            factors: [R] scale of each learner's step; a learner with factor 0 takes no part.
        """
        return self.move(self.differentiate(losses, learners), learners, factors)

    def differentiate(self, losses: Iterable[Tensor], learners: Sequence[int]) -> Tensor:
        """Compute the gradients. Returns the losses [R]. Arguments as in `step`."""
        for parameter in self.parameters.values():
            parameter.grad = None
        total = torch.zeros(len(learners), device=self.device)
        for loss in losses:
            loss.sum().backward()
            total += loss.detach()
        return total

    def move(self, losses: Tensor, learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Make the step of the computed gradients. `losses` [R] are theirs; the others as in `step`."""
        norms = gradient_norms(self.parameters.values())
        if self.max_grad_norm is not None:
            scale = (self.max_grad_norm / norms.clamp(min=1e-12)).clamp(max=1.0)
            scale = torch.where(norms.isfinite(), scale, 1.0)  # keeps the tensor that caused it identifiable
            for parameter in self.parameters.values():
                _gradient(parameter).mul_(scale.view(-1, *(1 for _ in parameter.shape[1:])))
        norms = _rows(norms, self._index(learners))
        scales = {learner: factor for learner, factor in zip(learners, factors, strict=True) if factor}
        moves = self._moves(scales)
        broken: dict[int, str] = {}
        if not all_finite([losses, norms, *(move.after for move in moves)]):
            broken = self._undo(moves, list(scales), dict(zip(learners, zip(losses, norms, strict=True), strict=True)))
        self._write(moves, list(scales))
        return Step(losses, norms, broken)

    @torch.no_grad()
    def _moves(self, scales: Mapping[int, float]) -> list[Move]:
        """Compute the scaled steps of these learners in each parameter."""
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
            *rule_factors, scale = rows.view(*rows.shape, *(1 for _ in before.shape[1:])).unbind()
            after = self.rule.moved(before, gradient, moments, rule_factors)
            if is_scaled:
                after = torch.lerp(before, after, scale)
            moves.append(Move(name, parameter, before, after, moments))
        return moves

    @torch.no_grad()
    def _undo(
        self, moves: list[Move], stepping: list[int], sizes: Mapping[int, tuple[Tensor, Tensor]]
    ) -> dict[int, str]:
        """Undo the step of each broken learner. Returns the non-finite quantity of each.

        `stepping` [r] are the learners of the moves, `sizes` the loss and the gradient norm of every learner of the
        batch. The moments of a broken learner are set to 0, since it is not updated again and they may be infinite.
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
        """The first quantity of a learner that is not finite, in order of computation; later ones may be effects."""
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
        """Write the steps to parameters, moments and step counts."""
        index = self._index(stepping)
        self.counts[stepping] += 1
        for move in moves:
            if index is None:
                move.parameter.copy_(move.after)  # without index, the moments alias the stored ones
                continue
            move.parameter.index_copy_(0, index, move.after)
            for stored, moment in zip(self.moments[move.name], move.moments, strict=True):
                stored.index_copy_(0, index, moment)

    def _index(self, learners: Sequence[int]) -> Tensor | None:
        """[r] int64 on the device; None for all learners."""
        return None if len(learners) == len(self.counts) else self._on_device(torch.tensor(learners))

    def _on_device(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)  # a blocking copy would wait for the gradients

    def state(self) -> dict[str, Any]:
        """Moments and step counts, for a checkpoint. Settings are part of the config."""
        return {"counts": self.counts, "moments": self.moments}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises ValueError where it belongs to other parameters or to another rule."""
        if "counts" not in state:
            raise ValueError("its optimizer state is that of version 0.1, which kept one count for all learners")
        stored = {"counts": [self.counts], **self.moments}
        saved = {"counts": [state["counts"]], **state["moments"]}
        shapes = [{k: [tensor.shape for tensor in v] for k, v in tensors.items()} for tensors in (stored, saved)]
        if shapes[0] != shapes[1]:
            raise ValueError("its optimizer state is that of other parameters or of another optimizer")
        for name, tensors in stored.items():
            for tensor, value in zip(tensors, saved[name], strict=True):
                tensor.copy_(value)


@torch.no_grad()
def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers are finite. Reduces each tensor to its extremes, so that the device is synchronised once."""
    return bool(torch.stack([bound for tensor in tensors for bound in torch.aminmax(tensor)]).isfinite().all())


def _gradient(parameter: nn.Parameter) -> Tensor:
    """The gradient; zeros where no loss depends on the parameter."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _rows(tensor: Tensor, index: Tensor | None) -> Tensor:
    """The rows [r] of some learners; the tensor itself for all learners."""
    return tensor if index is None else tensor.index_select(0, index)
