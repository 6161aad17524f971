"""The group `baseline`: values subtracted from the returns, which may depend on the state but not on the action."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import gymnasium
import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from pg_experiments.optimizer import LearningRate
from pg_experiments.optimizer.rules import Adam
from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.support.errors import UserError, as_yaml
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.masked import masked_mean
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import FlatIndex, Rollout
from pg_experiments.tensors.stacked import Activation, Initialisation, StackedMLP
from pg_experiments.tensors.streams import Purpose

METRICS = (
    Metric("value_loss", "", "losses/value_loss"),
    Metric("explained_variance", "", "losses/explained_variance"),
    Metric("value_gradient_norm", "", "gradients/value_norm"),
)  # of a learned value; other baselines report none


Learned = tuple[dict[str, Tensor], dict[int, str]]  # metrics [R]; and the non-finite quantity of each broken learner


class Baseline(nn.Module):
    """Base class of baselines; the value is 0. Learners are never mixed."""

    network: Network | None  # the trained network, if there is one
    optimizer: StackedOptimizer | None = None  # of the network
    hint = ""  # settings that may help where training the network fails

    def __init__(self, network: Network | None = None) -> None:
        super().__init__()
        self.network = network

    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        """b(s_t), a constant for the policy's gradient. Returns [T, R, E], or a shape that broadcasts to it."""
        return torch.zeros((), dtype=returns.dtype, device=returns.device)

    def final_values(self, rollout: Rollout) -> Tensor | None:
        """[T, R, E]: V of the next state at each cut, 0 elsewhere; None for 0 everywhere."""
        return None

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        """Learns from a batch, after its advantages have been computed.

        Args:
            rollout: the batch.
            returns: [T, R, E].
            skip: indices of learners whose parameters must not change.
        """
        return {}, {}

    def judge(self, values: Tensor, returns: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Metrics of how well the values [T, R, E] predicted the returns."""
        return {}


class MeanBaseline(Baseline):
    """The mean return over the batch's steps.

    The mean includes the batch's own returns, so part of an action's return is subtracted from itself, and all returns
    of an episode share rewards. This is a bias of order one over the number of episodes. With `returns=trajectory` and
    E episodes of equal length the expected gradient shrinks by 1 − 1/E. `moving_average` has no such bias.
    """

    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)


class MovingAverage(Baseline):
    """An exponential moving average of earlier batches' mean returns; 0 for the first batch.

    It depends only on earlier batches, so it adds no bias to the gradient. The initial value of 0 is corrected as in
    Adam (Kingma & Ba 2015, section 3).
    """

    kept: Tensor  # [R] decay: weight of the old average
    added: Tensor  # [R] 1 − decay: weight of the new mean
    average: Tensor  # [R] before correction
    batches: Tensor  # [R] number of batches in the average

    def __init__(self, decay: Tensor) -> None:
        """`decay` is [R]."""
        super().__init__()
        self.register_buffer("kept", decay.float(), persistent=False)
        self.register_buffer("added", (1 - decay).float(), persistent=False)
        self.register_buffer("average", torch.zeros(len(decay)))
        self.register_buffer("batches", torch.zeros(len(decay), dtype=torch.int64))

    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        correction = torch.maximum(1 - self.kept**self.batches, self.added)
        average = (self.average / correction)[rollout.learners]
        return average.to(returns.dtype)[:, None]

    def learn(self, rollout: Rollout, returns: Tensor, skip: Container[int]) -> Learned:
        mean = masked_mean(returns, rollout.mask, (0, 2)).flatten().to(self.average.dtype)
        learners = rollout.learners
        finite = mean.isfinite()  # otherwise the learner is stopped by the run
        average = self.average[learners]
        updated = self.kept[learners] * average + self.added[learners] * mean
        self.average[learners] = torch.where(finite, updated, average)
        self.batches[learners] += finite
        return {}, {}


class ValueBaseline(Baseline):
    """V(s): a separate network, fitted to the returns by least squares."""

    network: Network

    def __init__(self, settings: ValueOption, network: StackedMLP, learners: Learners) -> None:
        super().__init__(network)
        self.settings = settings
        rates = learners.values("baseline.learning_rate", settings.learning_rate)
        rule = Adam(rates, weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8, decoupled=False)
        self.optimizer = StackedOptimizer(self.named_parameters("baseline"), rule)

    @property
    def hint(self) -> str:  # type: ignore[override]
        rate = as_yaml(self.settings.learning_rate)
        return f"a lower baseline.learning_rate ({rate}), or returns of a smaller scale (normalization),"

    @torch.no_grad()
    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        blocks = [self._predict(rollout, block) for block in rollout.flat.blocks()]
        return rollout.flat.scatter(torch.cat(blocks, 1))

    @torch.no_grad()
    def final_values(self, rollout: Rollout) -> Tensor | None:
        if not self.settings.bootstrap:
            return None
        values: Tensor = self.network.bind(rollout.learners)(rollout.finals.observations).squeeze(-1)
        return torch.where(rollout.cuts, rollout.at_finals(values), 0.0)

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
            error = self._predict(rollout, block) - block.gather(returns)
            yield torch.where(block.valid, error.square(), 0.0).sum(1) / count

    def judge(self, values: Tensor, returns: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {"explained_variance": explained_variance(values, returns, mask)}

    def _predict(self, rollout: Rollout, block: FlatIndex) -> Tensor:
        return self.network.bind(rollout.learners)(block.gather(rollout.observations)).squeeze(-1)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 − Var(G − b) / Var(G) over a learner's batch, [T, R, E] -> [R]. 1 is a perfect fit, 0 that of a constant.

    NaN where the returns do not vary.
    """

    def variance(x: Tensor) -> Tensor:
        mean = masked_mean(x, mask, (0, 2)).to(x.dtype)
        return masked_mean((x - mean).square(), mask, (0, 2)).flatten()

    spread = variance(returns)
    return torch.where(spread > 0, 1 - variance(returns - values) / spread, torch.nan)


class BaselineOption(Protocol):
    """An option of the group `baseline`.

    Attributes:
        is_mean_of_batch: whether the mean of the batch's own returns is subtracted.
    """

    is_mean_of_batch: ClassVar[bool]

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
        """Builds the baseline of all learners."""


@dataclass(frozen=True)
class NoBaselineOption:
    """No baseline."""

    is_mean_of_batch: ClassVar[bool] = False

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
        return Baseline()


@dataclass(frozen=True)
class MeanOption:
    """The mean of the batch's returns."""

    is_mean_of_batch: ClassVar[bool] = True

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
        return MeanBaseline()


@dataclass(frozen=True)
class MovingAverageOption:
    """A moving average of earlier batches."""

    is_mean_of_batch: ClassVar[bool] = False
    decay: Annotated[float, Ge(0), Lt(1)]

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
        return MovingAverage(learners.values("baseline.decay", self.decay)).to(device)


@dataclass(frozen=True)
class ValueOption:
    """A learned V(s), trained with Adam."""

    is_mean_of_batch: ClassVar[bool] = False
    hidden: Annotated[int, Ge(1)]
    layers: Annotated[int, Ge(1)]
    activation: Activation
    initialisation: Initialisation
    learning_rate: LearningRate
    steps: Annotated[int, Ge(1)]
    bootstrap: bool

    def validate(self, config: Any) -> None:
        """Raises UserError where V(s) bootstraps returns that are not in the environment's units."""
        if self.bootstrap and config.normalization.changes_returns:
            raise UserError(
                "baseline.bootstrap=true with normalization=returns: V(s) must be in the environment's units to "
                "continue a return; use normalization=advantages or normalization=none"
            )

    def build(self, observations: gymnasium.Space[Any], learners: Learners, device: torch.device) -> Baseline:
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


OPTIONS: dict[str, type] = {
    "none": NoBaselineOption,
    "mean": MeanOption,
    "moving_average": MovingAverageOption,
    "value": ValueOption,
}
