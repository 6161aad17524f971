"""One gradient step for R learners at once, each with its own clipping, its own learning rate and its own end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

Schedule = Literal["constant", "linear", "cosine", "exponential"]
NamedParameters = Iterable[tuple[str, nn.Parameter]]


def schedule_factor(schedule: Schedule, final_fraction: float, progress: float) -> float:
    """What the learning rate is multiplied with after `progress` (0 to 1) of the run: 1 at its start.

    linear: 1 − (1 − f) p. cosine: f + (1 − f)(1 + cos πp)/2 (Loshchilov & Hutter 2017). exponential: f^p.
    f is `final_fraction`, the value at p = 1.
    """
    progress = min(max(progress, 0.0), 1.0)
    if schedule == "linear":
        return 1 - (1 - final_fraction) * progress
    if schedule == "cosine":
        return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * progress)) / 2
    if schedule == "exponential":
        return float(final_fraction**progress)
    return 1.0


def gradient_norms(parameters: Iterable[nn.Parameter]) -> Tensor:
    """[R]: the Euclidean norm of each seed's whole gradient."""
    squares = [p.grad.square().flatten(1).sum(1) for p in parameters if p.grad is not None]
    return torch.stack(squares).sum(0).sqrt()


class Step(NamedTuple):
    """What became of a gradient step."""

    losses: Tensor  # [R]
    norms: Tensor  # [R] of their gradients, before clipping
    broken: dict[int, str]  # learner -> what of it was not finite; its parameters are those of before the step


class StackedOptimizer:
    """An element-wise torch optimizer on stacked parameters, with what must not mix seeds done per seed.

    Each seed's step is scaled by a factor of its own: the schedule's (the step of every optimizer here is
    proportional to its learning rate), and exactly 0 for a seed that does not take part, which also keeps
    momentum and weight decay from moving it. So is a seed's loss, gradient or parameter that is not finite its own
    affair: its step is undone.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, max_grad_norm: float | None = None) -> None:
        """`optimizer` is made of named parameters."""
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm
        self.names: list[str] = [name for g in optimizer.param_groups for name in g["param_names"]]
        self.parameters: list[nn.Parameter] = [p for g in optimizer.param_groups for p in g["params"]]

    def step(self, losses: Iterable[Tensor], learners: Tensor, factors: Tensor) -> Step:
        """Follow the gradients of the losses.

        Args:
            losses: parts [R] of a sum. Each one's graph is gone before the next is asked for.
            learners: [R] int64, whose they are.
            factors: [R], what each step is scaled by.
        """
        self.optimizer.zero_grad()
        total = torch.zeros(len(learners), device=learners.device)
        for loss in losses:
            loss.sum().backward()
            total += loss.detach()
        norms = gradient_norms(self.parameters)
        if self.max_grad_norm is not None:
            scale = (self.max_grad_norm / norms.clamp(min=1e-12)).clamp(max=1.0)
            self._scale_gradients(torch.where(norms.isfinite(), scale, 1.0))  # else it would hide which one is broken
        everyone = torch.zeros_like(norms).index_copy(0, learners, factors.to(norms.dtype))
        before = [p.detach().clone() for p in self.parameters]
        self.optimizer.step()
        with torch.no_grad():
            for parameter, old in zip(self.parameters, before, strict=True):
                # lerp gives back `old` at 0 and the new value at 1 to the last bit
                parameter.copy_(torch.lerp(old, parameter, _per_seed(everyone, parameter)))
        sound = all_finite([total, norms, *self.parameters])
        broken = {} if sound else self._undo(before, dict(zip(learners.tolist(), total, strict=True)), norms)
        return Step(total, norms[learners], broken)

    @torch.no_grad()
    def _undo(self, before: list[Tensor], losses: dict[int, Tensor], norms: Tensor) -> dict[int, str]:
        """Undo the step of each learner that broke. Returns those that took part, each with what is not finite.

        The optimizer's memory of them is emptied: they never step again, and an infinity in it would spread.
        """
        broken: dict[int, str] = {}
        for learner, norm in enumerate(norms):
            what = self._not_finite(learner, losses.get(learner), norm)
            if what is None:
                continue
            if learner in losses:
                broken[learner] = what
            for parameter, old in zip(self.parameters, before, strict=True):
                parameter[learner] = old[learner]
                if parameter.grad is not None:
                    parameter.grad[learner] = 0
                for memory in self.optimizer.state[parameter].values():
                    if isinstance(memory, Tensor) and memory.shape == parameter.shape:
                        memory[learner] = 0
        return broken

    def _not_finite(self, learner: int, loss: Tensor | None, norm: Tensor) -> str | None:
        """The first of a learner's tensors that is not finite: what comes later may only follow from it."""
        if loss is not None and not loss.isfinite():
            return "loss"
        for name, parameter in zip(self.names, self.parameters, strict=True):
            if parameter.grad is not None and not parameter.grad[learner].isfinite().all():
                return f"gradient of {name}"
        if not norm.isfinite():
            return "norm of the gradient"
        for name, parameter in zip(self.names, self.parameters, strict=True):
            if not parameter[learner].isfinite().all():
                return f"parameter {name}"
        return None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: moments and counts of steps. The settings are the config's."""
        state: dict[str, Any] = self.optimizer.state_dict()
        return {"state": state["state"]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state["state"]})

    @torch.no_grad()
    def _scale_gradients(self, scale: Tensor) -> None:
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad *= _per_seed(scale, parameter)


@torch.no_grad()
def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every number is finite, told from the least and the greatest of each tensor: a single pass."""
    return bool(torch.stack([bound for tensor in tensors for bound in torch.aminmax(tensor)]).isfinite().all())


def _per_seed(values: Tensor, like: Tensor) -> Tensor:
    """[R] -> [R, 1, …] with as many axes as `like`."""
    return values.to(like.dtype).view(-1, *(1 for _ in like.shape[1:]))


LearningRate = Annotated[float, Gt(0), Le(1e30)]  # torch refuses a step size that float32 does not hold
Fraction = Annotated[float, Ge(0), Lt(1)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class OptimizerOption:
    """What every optimizer can be told."""

    learning_rate: LearningRate
    weight_decay: NonNegative
    schedule: Schedule
    final_fraction: Annotated[float, Gt(0), Le(1)]
    max_grad_norm: Positive | None

    def factor(self, progress: float) -> float:
        """The schedule's factor after that share of the run."""
        return schedule_factor(self.schedule, self.final_fraction, progress)

    def build(self, parameters: NamedParameters) -> StackedOptimizer:
        """An optimizer over stacked parameters."""
        return StackedOptimizer(self.torch_optimizer(parameters), self.max_grad_norm)

    def torch_optimizer(self, parameters: NamedParameters) -> torch.optim.Optimizer:
        """The element-wise rule itself."""
        raise TypeError(f"{type(self).__name__} names no rule")


@dataclass(frozen=True)
class Adam(OptimizerOption):
    """Adam (Kingma & Ba 2015); weight decay is L2, added to the gradient."""

    beta1: Fraction
    beta2: Fraction
    epsilon: Positive
    rule: ClassVar[type[torch.optim.Adam]] = torch.optim.Adam

    def torch_optimizer(self, parameters: NamedParameters) -> torch.optim.Optimizer:
        betas = (self.beta1, self.beta2)
        return self.rule(
            parameters, lr=self.learning_rate, betas=betas, eps=self.epsilon, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    rule: ClassVar[type[torch.optim.Adam]] = torch.optim.AdamW


@dataclass(frozen=True)
class SGD(OptimizerOption):
    """Stochastic gradient descent."""

    momentum: Fraction

    def torch_optimizer(self, parameters: NamedParameters) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class RMSprop(OptimizerOption):
    """RMSprop (Tieleman & Hinton 2012)."""

    decay: Fraction
    epsilon: Positive
    momentum: Fraction

    def torch_optimizer(self, parameters: NamedParameters) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            parameters,
            lr=self.learning_rate,
            alpha=self.decay,
            eps=self.epsilon,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )


OPTIONS: dict[str, type] = {"adam": Adam, "adamw": AdamW, "sgd": SGD, "rmsprop": RMSprop}
