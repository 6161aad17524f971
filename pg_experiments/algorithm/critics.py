"""Twin critics Q(s, a) with target networks, for R learners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pg_experiments.optimizer import OptimizerOption
from pg_experiments.optimizer.stacked import Differentiated, StackedOptimizer, in_one_matrix
from pg_experiments.tensors.fused import Activation
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import InputPullback, with_input_pullback, with_pullback
from pg_experiments.tensors.stacked import BoundMLP, StackedMLP
from pg_experiments.tensors.streams import Purpose

TWINS = (Purpose.CRITIC_PARAMETERS, Purpose.SECOND_CRITIC_PARAMETERS)  # streams of their first parameters


class Fit(NamedTuple):
    """The outcome of a gradient step of the critics."""

    losses: Tensor  # [R] ½ (L₁ + L₂), L the mean squared error of a critic
    norms: Tensor  # [R] norm of the gradient of both critics
    values: Tensor  # [R] mean of Q(s, a)
    broken: dict[int, str]  # by the learner's index, its quantity that is not finite


class Critics(nn.Module):
    """Q₁ and Q₂ of R learners, and the target networks that follow them slowly.

    Rows 2r and 2r + 1 of the stacked networks are the critics of learner r.
    """

    def __init__(
        self,
        learners: Learners,
        inputs: int,
        outputs: int,
        *,
        hidden: int,
        layers: int,
        activation: Activation,
        learning_rate: float | None,
        optimizer: OptimizerOption,
        device: torch.device,
    ) -> None:
        """Args:
        learners: all learners.
        inputs: numbers that the critics see: those of an observation, and of an action unless it selects an output.
        outputs: 1, or the number of actions.
        hidden, layers, activation: of the networks.
        learning_rate: None for that of the optimizer.
        optimizer: the rule of their gradient steps.
        device: of the parameters.
        """
        super().__init__()
        shape = {"hidden": hidden, "layers": layers, "activation": activation}
        self.online = _stacked(2 * len(learners), inputs, outputs, shape)
        self.target = _stacked(2 * len(learners), inputs, outputs, shape).to(device).requires_grad_(False)
        with torch.no_grad():
            for twin, purpose in enumerate(TWINS):
                first = _stacked(len(learners), inputs, outputs, shape)
                first.initialise(learners, purpose, "torch", output_gain=1.0)
                for ours, theirs in zip(self.online.parameters(), first.parameters(), strict=True):
                    ours[twin::2] = theirs
        self.online.to(device)
        rates = learners.values("optimizer.learning_rate", optimizer.learning_rate)
        if learning_rate is not None:
            rates = learners.values("algorithm.critic_learning_rate", learning_rate)
        decays = learners.values("optimizer.weight_decay", optimizer.weight_decay)
        rule = optimizer.rule(rates.repeat_interleave(2), decays.repeat_interleave(2))
        self.optimizer = StackedOptimizer(self.online.named_parameters("critic"), rule, optimizer.max_grad_norm)
        self.target.load_state_dict(self.online.state_dict())
        self._target_values = in_one_matrix(self.target.parameters())  # as `optimizer.values` of the critics

    @torch.no_grad()
    def target_values(self, learners: Tensor, inputs: Tensor) -> Tensor:
        """min(Q′₁, Q′₂) of the target networks, [R, N, K] for inputs [R, N, D] of the learners with indices [R]."""
        outputs: Tensor = self._bound(self.target, learners)(_twice(inputs))
        return torch.minimum(*_of_twins(outputs))

    def lower_values(self, learners: Tensor, inputs: Tensor) -> tuple[Tensor, InputPullback]:
        """min(Q₁, Q₂) as `target_values`, and the function from ∂ loss / ∂ min(Q₁, Q₂) to ∂ loss / ∂ inputs."""
        outputs, pull_back = with_input_pullback(self._bound(self.online, learners), _twice(inputs))
        first, second = _of_twins(outputs)
        is_first = first <= second

        def of_lower(gradient: Tensor) -> Tensor:
            of_twins = torch.stack([gradient * is_first, gradient * ~is_first], 1)
            return torch.add(*_of_twins(pull_back(of_twins.flatten(0, 1))))

        return torch.minimum(first, second), of_lower

    def fit(
        self,
        learners: Tensor,
        inputs: Tensor,
        chosen: Tensor | None,
        targets: Tensor,
        factors: Sequence[float],
    ) -> Fit:
        """Makes a gradient step on ½ (Q_i(s, a) − y)² of both critics, as a mean over steps.

        Args:
            learners: [R] indices.
            inputs: [R, N, D].
            chosen: [R, N] int64, the output that stands for the action; None for critics with one output.
            targets: [R, N] y.
            factors: [R] of the learning rate; a learner with factor 0 takes no part.
        """
        R, N = targets.shape
        outputs, pull_back = with_pullback(self._bound(self.online, learners), _twice(inputs))
        index = None if chosen is None else _twice(chosen)[..., None]
        values = (outputs if index is None else outputs.gather(2, index)).view(R, 2, N)
        errors = values - targets[:, None]
        slopes = (errors / N).view(2 * R, N, 1)
        gradient = slopes if index is None else torch.zeros_like(outputs).scatter_(2, index, slopes)
        losses = 0.5 * errors.square().mean(2)

        def differentiated() -> Iterator[Differentiated]:
            pull_back(gradient)
            yield Differentiated(losses.view(2 * R))

        doubled = [factor for factor in factors for _ in range(2)]
        step = self.optimizer.step(differentiated(), _rows(learners), doubled)
        broken = {row // 2: what for row, what in reversed(step.broken.items())}
        norms = torch.linalg.vector_norm(step.norms.view(R, 2), dim=1)
        return Fit(losses.sum(1), norms, values.mean((1, 2)), broken)

    def _bound(self, network: StackedMLP, learners: Tensor) -> BoundMLP:
        """The critics of the learners with indices [R], 2R networks."""
        if 2 * len(learners) == len(self._target_values):
            return network.bind()
        return network.bind(torch.tensor(_rows(learners), device=learners.device))

    @torch.no_grad()
    def update_target(self, rate: float) -> None:
        """θ′ ← (1 − τ) θ′ + τ θ with the rate τ."""
        self._target_values.lerp_(self.optimizer.values, rate)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        return {"networks": self.state_dict(), "optimizer": self.optimizer.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.load_state_dict(state["networks"])
        self.optimizer.restore(state["optimizer"])


def _stacked(count: int, inputs: int, outputs: int, shape: Mapping[str, Any]) -> StackedMLP:
    return StackedMLP(count, inputs, outputs, bias=True, **shape)


def _rows(learners: Tensor) -> list[int]:
    """[R] -> [2R]: the rows of both critics of each learner."""
    return [row for learner in learners.tolist() for row in (2 * learner, 2 * learner + 1)]


def _of_twins(rows: Tensor) -> tuple[Tensor, Tensor]:
    """[2R, …] -> [R, …] of the first critics, and of the second ones."""
    return rows[::2], rows[1::2]


def _twice(of_learners: Tensor) -> Tensor:
    """[R, …] -> [2R, …]: for both critics of each learner."""
    return of_learners[:, None].expand(-1, 2, *of_learners.shape[1:]).flatten(0, 1)
