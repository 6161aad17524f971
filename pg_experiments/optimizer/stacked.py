"""Gradient steps of stacked learners, with separate clipping, learning rate and failure handling for each learner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.optimizer.rules import Rule

NamedParameters = Iterable[tuple[str, nn.Parameter]]


class Differentiated(NamedTuple):
    """A term of the losses whose gradient has been added to `grad` of the parameters."""

    loss: Tensor  # [R]


Losses = Iterable[Tensor] | Iterable[Differentiated]  # terms of a sum


class Step(NamedTuple):
    """The outcome of a gradient step."""

    losses: Tensor  # [R]
    norms: Tensor  # [R] gradient norms before clipping
    broken: dict[int, str]  # learner -> its non-finite quantity; its parameters are those from before the step


@dataclass(frozen=True)
class Move:
    """The step of some learners [r], computed but not yet written."""

    learners: list[int]
    index: Tensor | None  # of the learners; None for all
    before: Tensor  # [r, P]
    after: Tensor  # [r, P]
    moments: list[Tensor]  # [r, P] after the step


class StackedOptimizer:
    """Applies an update rule to stacked parameters without mixing learners.

    Parameters, moments and step count of a learner that takes no part in a step do not change. The step of each other
    learner is scaled by the factor of its schedule, which is exact as the step of every rule is proportional to the
    learning rate. The step of a learner whose loss, gradient or new parameters are not finite is undone.

    The P parameters of a learner are a row of one matrix [R, P]; gradients and moments have such matrices, too. The
    parameters of the networks and their gradients become views of it, so that a step takes a dozen operations
    for any number of parameters.
    """

    def __init__(self, parameters: NamedParameters, rule: Rule, max_grad_norm: float | None = None) -> None:
        """Moves the data of the parameters; afterwards they must be changed in place only."""
        self.parameters = dict(parameters)
        self.rule = rule
        self.max_grad_norm = max_grad_norm
        first = next(iter(self.parameters.values()))
        self.device, self.dtype = first.device, first.dtype  # of all parameters
        self.counts = torch.zeros(len(first), dtype=torch.int64)  # [R] step count of each learner; on the CPU
        self.values = in_one_matrix(self.parameters.values())
        self._gradient = torch.zeros_like(self.values)
        self._moments = [torch.zeros_like(self.values) for _ in range(rule.moments)]
        self._gradients = self._views(self._gradient)
        moments = [self._views(moment) for moment in self._moments]
        self.moments = {name: [views[name] for views in moments] for name in self.parameters}

    def step(self, losses: Losses, learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Make one gradient step.

        Args:
            losses: terms [R] of the losses, with their graph or differentiated. The graph of each is freed before the
                next one is generated.
            learners: [R] indices of the learners, ascending.
            factors: [R] scale of each learner's step; a learner with factor 0 takes no part.
        """
        return self.move(self.differentiate(losses, learners), learners, factors)

    def differentiate(self, losses: Losses, learners: Sequence[int]) -> Tensor:
        """Compute the gradients. Returns the losses [R]. Arguments as in `step`."""
        for parameter in self.parameters.values():
            parameter.grad = None
        total: Tensor | None = None
        for term in losses:
            if isinstance(term, Tensor):
                torch.autograd.backward(term, torch.ones_like(term))
            loss = term.detach() if isinstance(term, Tensor) else term.loss
            total = loss if total is None else total + loss
        self._gather()
        return torch.zeros(len(learners), device=self.device) if total is None else total

    def _gather(self) -> None:
        """Move the gradients of the parameters into one matrix; zeros where no loss depends on a parameter."""
        parameters = self.parameters.values()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        torch.cat([gradient.flatten(1) for gradient in gradients], 1, out=self._gradient)
        for name, parameter in self.parameters.items():
            parameter.grad = self._gradients[name]

    @torch.no_grad()
    def move(self, losses: Tensor, learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Make the step of the computed gradients. `losses` [R] are theirs; the others as in `step`."""
        norms = torch.linalg.vector_norm(self._gradient, dim=1)
        if self.max_grad_norm is not None:
            scale = (self.max_grad_norm / norms.clamp(min=1e-12)).clamp(max=1.0)
            scale = torch.where(norms < math.inf, scale, 1.0)  # keeps the tensor that caused it identifiable
            self._gradient.mul_(scale[:, None])
        norms = _rows(norms, self._index(learners))
        scales = {learner: factor for learner, factor in zip(learners, factors, strict=True) if factor}
        move = self._move(scales)
        broken: dict[int, str] = {}
        if not are_finite([losses, norms, move.after]):
            broken = self._undo(move, dict(zip(learners, zip(losses, norms, strict=True), strict=True)))
        self._write(move)
        return Step(losses, norms, broken)

    def _move(self, scales: Mapping[int, float]) -> Move:
        """Compute the scaled steps of these learners."""
        learners = list(scales)
        index = self._index(learners)
        *rule_factors, scale = self._factors(scales)
        before, gradient = _rows(self.values, index), _rows(self._gradient, index)
        moments = [_rows(moment, index) for moment in self._moments]
        after = self.rule.moved(before, gradient, moments, rule_factors)
        if any(factor != 1 for factor in scales.values()):
            after = torch.lerp(before, after, scale)
        return Move(learners, index, before, after, moments)

    def _factors(self, scales: Mapping[int, float]) -> tuple[Tensor, ...]:
        """The K factors of the rule and the scale of these learners, [r, 1] each."""
        of_rule = self.rule.factors([count + 1 for count in self.counts.tolist()])
        factors = np.empty((len(of_rule) + 1, len(scales)))
        factors[:-1] = of_rule if len(scales) == len(self.counts) else of_rule[:, list(scales)]
        factors[-1] = list(scales.values())
        return self._on_device(torch.from_numpy(factors).to(self.dtype))[..., None].unbind()

    def _undo(self, move: Move, sizes: Mapping[int, tuple[Tensor, Tensor]]) -> dict[int, str]:
        """Undo the step of each broken learner. Returns the non-finite quantity of each.

        `sizes` are the loss and the gradient norm of every learner of the batch. The moments of a broken learner are
        set to 0, since it is not updated again and they may be infinite.
        """
        broken: dict[int, str] = {}
        after = self._views(move.after)
        for learner, (loss, norm) in sizes.items():
            row = move.learners.index(learner) if learner in move.learners else None
            what = self._not_finite(learner, row, after, loss, norm)
            if what is None:
                continue
            broken[learner] = what
            self._gradient[learner] = 0
            if row is not None:
                move.after[row] = move.before[row]
                for moment in move.moments:
                    moment[row] = 0
        return broken

    def _not_finite(
        self, learner: int, row: int | None, after: Mapping[str, Tensor], loss: Tensor, norm: Tensor
    ) -> str | None:
        """The first quantity of a learner that is not finite, in order of computation; later ones may be effects."""
        if not loss.isfinite():
            return "loss"
        for name, gradient in self._gradients.items():
            if not gradient[learner].isfinite().all():
                return f"gradient of {name}"
        if not norm.isfinite():
            return "norm of the gradient"
        for name, values in after.items() if row is not None else ():
            if not values[row].isfinite().all():
                return f"parameter {name}"
        return None

    def _write(self, move: Move) -> None:
        """Write the steps to parameters, moments and step counts."""
        if move.index is None:
            self.counts += 1
            self.values.copy_(move.after)  # the moments are the stored ones, and have changed in place
            return
        self.counts[move.learners] += 1
        self.values.index_copy_(0, move.index, move.after)
        for stored, moment in zip(self._moments, move.moments, strict=True):
            stored.index_copy_(0, move.index, moment)

    def _views(self, rows: Tensor) -> dict[str, Tensor]:
        """The part of each parameter in rows [r, P]: views [r, …] by name."""
        return dict(zip(self.parameters, _views_of(rows, self.parameters.values()), strict=True))

    def _index(self, learners: Sequence[int]) -> Tensor | None:
        """[r] int64 on the device; None for all learners."""
        if len(learners) == len(self.counts):
            return None
        return self._on_device(torch.tensor(learners, dtype=torch.int64))

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


def in_one_matrix(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Moves the data of stacked parameters into one matrix [R, P], of which they become views. Returns it."""
    every = list(parameters)
    values = torch.cat([parameter.detach().flatten(1) for parameter in every], 1)
    for parameter, view in zip(every, _views_of(values, every), strict=True):
        parameter.data = view
    return values


def _views_of(rows: Tensor, parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The part of each parameter in rows [r, P]: views [r, …]."""
    shapes = [parameter.shape[1:] for parameter in parameters]
    ends = accumulate((shape.numel() for shape in shapes), initial=0)
    return [rows[:, start:end].view(-1, *shape) for shape, (start, end) in zip(shapes, pairwise(ends), strict=True)]


def are_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers are finite. May be False where they are finite but their sum is not; one synchronisation."""
    return math.isfinite(torch.stack([tensor.sum() for tensor in tensors]).sum().item())


def _rows(tensor: Tensor, index: Tensor | None) -> Tensor:
    """The rows [r] of some learners; the tensor itself for all learners."""
    return tensor if index is None else tensor.index_select(0, index)
