"""The learned state value V(s)."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import gymnasium
import torch
from annotated_types import Ge, Gt
from torch import Tensor

from pg_experiments.baseline.base import Baseline, EpisodeGradients, Learned
from pg_experiments.optimizer import LearningRate
from pg_experiments.optimizer.rules import Adam
from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.support.errors import UserError, as_yaml
from pg_experiments.tensors.fused import Activation
from pg_experiments.tensors.initialisation import Initialisation
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.masked import masked_mean
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import Finals, FlatIndex, Rollout
from pg_experiments.tensors.stacked import StackedMLP
from pg_experiments.tensors.streams import Purpose


class ValueSettings(Protocol):
    """What the options with V(s) have in common."""

    @property
    def learning_rate(self) -> float | None: ...

    @property
    def steps(self) -> int: ...

    @property
    def bootstrap(self) -> bool: ...

    @property
    def loss_coefficient(self) -> float: ...

    @property
    def clip_range(self) -> float | None: ...


class ValueBaseline(Baseline):
    """V(s): a network that is fitted to the returns by least squares."""

    network: Network

    def __init__(self, settings: ValueSettings, network: Network, learners: Learners) -> None:
        super().__init__(network)
        self.settings = settings
        if settings.learning_rate is None:
            return  # an actor-critic trains the network together with the policy
        rates = learners.values("baseline.learning_rate", settings.learning_rate)
        rule = Adam(rates, weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8, decoupled=False)
        self.optimizer = StackedOptimizer(self.named_parameters("baseline"), rule)

    @property
    def hint(self) -> str:  # type: ignore[override]
        rate = as_yaml(self.settings.learning_rate)
        return f"a lower baseline.learning_rate ({rate}), or returns of a smaller scale (normalization),"

    def values(self, rollout: Rollout, returns: Tensor, gradients: EpisodeGradients) -> Tensor:
        return self.state_values(rollout)

    def final_values(self, rollout: Rollout) -> Tensor | None:
        return self._values_at_cuts(rollout) if self.settings.bootstrap else None

    @torch.no_grad()
    def state_values(self, rollout: Rollout) -> Tensor:
        blocks = [self.predict(rollout, block) for block in rollout.flat.blocks()]
        return rollout.flat.scatter(torch.cat(blocks, 1))

    def next_values(self, rollout: Rollout, values: Tensor) -> Tensor:
        following = torch.cat([values[1:], torch.zeros_like(values[:1])])
        return torch.where(rollout.cuts, self._values_at_cuts(rollout), following)

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        assert self.optimizer is not None
        learners = rollout.learners.tolist()
        metrics: dict[str, Tensor] = {}
        broken: dict[int, str] = {}
        for _ in range(self.settings.steps):
            factors = [float(learner not in skip and learner not in broken) for learner in learners]
            step = self.optimizer.step(self.losses(rollout, returns), learners, factors)
            broken = step.broken | broken
            metrics = {"value_loss": step.losses, "value_gradient_norm": step.norms}
        return metrics, broken

    def losses(self, rollout: Rollout, returns: Tensor) -> Iterator[Tensor]:
        """Mean squared error over the steps of the batch, as terms [R] of a sum."""
        count = rollout.flat.valid.sum(1).clamp(min=1)
        for block in rollout.flat.blocks():
            error = self.predict(rollout, block) - block.gather(returns)
            yield torch.where(block.valid, error.square(), 0.0).sum(1) / count

    def squared_errors(self, values: Tensor, targets: Tensor, old_values: Tensor) -> tuple[Tensor, Tensor]:
        """The squared error of each step and its derivative by V(s), [R, N] each.

        With clipping, as in PPO's code (Engstrom et al. 2020, section 3), it is
        max((v − G)², (v_old + clip(v − v_old, −c, c) − G)²), whose gradient is 0 once v is c closer to G.

        Args:
            values: [R, N] V(s).
            targets: [R, N] returns G.
            old_values: [R, N] V(s) before the update.
        """
        errors = values - targets
        if (limit := self.settings.clip_range) is None:
            return errors.square(), 2 * errors
        change = values - old_values
        clipped = old_values + change.clamp(-limit, limit) - targets
        is_flat = (change.abs() > limit) & (clipped.square() > errors.square())
        return torch.maximum(errors.square(), clipped.square()), torch.where(is_flat, 0.0, 2 * errors)

    def judge(self, values: Tensor, returns: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {"explained_variance": explained_variance(values, returns, mask)}

    @torch.no_grad()
    def _values_at_cuts(self, rollout: Rollout) -> Tensor:
        """[T, R, E]: V of the next state at each cut, 0 elsewhere."""
        return self.values_at_cuts(rollout, rollout.finals)

    def values_at_cuts(self, rollout: Rollout, finals: Finals) -> Tensor:
        """[T, R, E]: V of the next state at each cut, 0 elsewhere, with the graph from the final observations."""
        network = self.network.bind(rollout.learners)
        values = torch.cat([network(part).squeeze(-1) for part in finals.parts(rollout.mask.shape[2])], 1)
        return torch.where(rollout.cuts, rollout.at_finals(values), 0.0)

    def predict(self, rollout: Rollout, block: FlatIndex) -> Tensor:
        """V(s) of the steps of an index, [R, N], with its graph."""
        return self.network.bind(rollout.learners)(block.gather(rollout.observations)).squeeze(-1)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 − Var(G − b) / Var(G) over a learner's batch, [T, R, E] -> [R]. 1 is a perfect fit, 0 that of a constant.

    NaN where the returns do not vary.
    """

    both, mask = torch.stack([returns, returns - values]), mask[None]
    mean = masked_mean(both, mask, (1, 3)).to(both.dtype)
    spread, left = masked_mean((both - mean).square(), mask, (1, 3)).flatten(1)
    return torch.where(spread > 0, 1 - left / spread, torch.nan)


@dataclass(frozen=True)
class ValueOption:
    """A learned V(s)."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = True
    hidden: Annotated[int, Ge(1)]
    layers: Annotated[int, Ge(1)]
    activation: Activation
    initialisation: Initialisation
    learning_rate: LearningRate | None
    steps: Annotated[int, Ge(1)]
    bootstrap: bool
    loss_coefficient: Annotated[float, Gt(0)] = 0.5
    clip_range: Annotated[float, Gt(0)] | None = None

    def validate(self, config: Any) -> None:
        """Raises UserError where V(s) has no optimizer, or bootstraps returns in other units than the environment's."""
        if self.learning_rate is None and not getattr(config.algorithm, "is_actor_critic", False):
            raise UserError(
                "baseline.learning_rate=null: this algorithm trains V(s) by itself; expected a number above 0, as 0.01"
            )
        if self.bootstrap and config.normalization.changes_returns:
            raise UserError(
                f"baseline.bootstrap=true with normalization.returns={config.normalization.returns}: V(s) must be in "
                "the environment's units to continue a return; use normalization=advantages or normalization=none"
            )

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        network = StackedMLP(
            len(learners),
            math.prod(observations.shape or ()),
            1,
            hidden=self.hidden,
            layers=self.layers,
            activation=self.activation,
            bias=True,
        )
        network.initialise(learners, Purpose.BASELINE_PARAMETERS, self.initialisation, output_gain=1.0)
        return ValueBaseline(self, network.to(device), learners)
