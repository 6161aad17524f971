"""What is subtracted from the returns. It may depend on the state, never on the action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Protocol

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from pg_experiments.optimizer import LearningRate
from pg_experiments.optimizer.rules import Adam
from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.tensors.masked import masked_mean
from pg_experiments.tensors.rollout import FlatIndex, Rollout
from pg_experiments.tensors.stacked import Activation, Initialisation, StackedMLP
from pg_experiments.tensors.streams import Purpose


class Baseline(nn.Module):
    """Subtracts nothing; the others change what they need to. Everything is per seed."""

    steps = 0  # gradient steps per batch

    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        """b(s_t), a constant for the policy's gradient. Returns [T, R, E] (or what broadcasts to it)."""
        return torch.zeros((), dtype=returns.dtype, device=returns.device)

    def final_values(self, rollout: Rollout) -> Tensor | None:
        """[R, E]: value of the state that each truncated episode ended in, 0 elsewhere; None without such values."""
        return None

    def losses(self, rollout: Rollout, returns: Tensor) -> Iterator[Tensor]:
        """What the baseline's own optimizer makes small: parts [R] of a sum, nothing where nothing is learned."""
        yield from ()

    def follow(self, rollout: Rollout, returns: Tensor) -> None:
        """Take note of a batch, after its advantages have been computed."""


class MeanBaseline(Baseline):
    """The mean return over the batch's steps.

    The batch's own returns are in it, so part of an action's return is subtracted from itself, and all returns of an
    episode share rewards: a bias of order one over the number of episodes. With `returns=trajectory` and E episodes
    of equal length the expected gradient shrinks by 1 − 1/E. `moving_average` has no such bias.
    """

    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)


class MovingAverage(Baseline):
    """An exponential moving average of earlier batches' mean returns; 0 for the first batch.

    Made only of what came before the batch, so it adds no bias. Its start at 0 is corrected as Adam's is
    (Kingma & Ba 2015, section 3).
    """

    average: Tensor
    batches: Tensor

    def __init__(self, seeds: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("average", torch.zeros(seeds))
        self.register_buffer("batches", torch.zeros(seeds, dtype=torch.int64))

    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        correction = (1 - self.decay**self.batches).clamp(min=1 - self.decay)
        average = (self.average / correction)[rollout.learners]
        return average.to(returns.dtype)[:, None]

    def follow(self, rollout: Rollout, returns: Tensor) -> None:
        mean = masked_mean(returns, rollout.mask, (0, 2)).flatten().to(self.average.dtype)
        learners = rollout.learners
        sound = mean.isfinite()  # a seed whose rewards are not has no average of them, and goes no further
        average = self.average[learners]
        self.average[learners] = torch.where(sound, self.decay * average + (1 - self.decay) * mean, average)
        self.batches[learners] += sound


class ValueBaseline(Baseline):
    """V(s): a network of its own, fitted to the returns by least squares."""

    def __init__(self, network: StackedMLP, *, steps: int, bootstraps: bool) -> None:
        super().__init__()
        self.network = network
        self.steps = steps
        self.bootstraps = bootstraps

    @torch.no_grad()
    def values(self, rollout: Rollout, returns: Tensor) -> Tensor:
        blocks = [self._predict(rollout, block) for block in rollout.flat.blocks()]
        return rollout.flat.scatter(torch.cat(blocks, 1))

    @torch.no_grad()
    def final_values(self, rollout: Rollout) -> Tensor | None:
        if not self.bootstraps:
            return None
        values: Tensor = self.network(rollout.final_observations, rollout.learners).squeeze(-1)
        return torch.where(rollout.truncated & ~rollout.terminated, values, 0.0)

    def losses(self, rollout: Rollout, returns: Tensor) -> Iterator[Tensor]:
        count = rollout.flat.valid.sum(1).clamp(min=1)
        for block in rollout.flat.blocks():
            error = self._predict(rollout, block) - block.gather(returns)
            yield torch.where(block.valid, error.square(), 0.0).sum(1) / count

    def _predict(self, rollout: Rollout, block: FlatIndex) -> Tensor:
        values: Tensor = self.network(block.gather(rollout.observations), rollout.learners).squeeze(-1)
        return values


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 − Var(G − b) / Var(G) over a seed's batch, [T, R, E] -> [R]: 1 is perfect, 0 as good as a constant.

    NaN where the returns do not vary, for then there is nothing to explain.
    """

    def variance(x: Tensor) -> Tensor:
        mean = masked_mean(x, mask, (0, 2)).to(x.dtype)
        return masked_mean((x - mean).square(), mask, (0, 2)).flatten()

    spread = variance(returns)
    return torch.where(spread > 0, 1 - variance(returns - values) / spread, torch.nan)


class BaselineOption(Protocol):
    """What an option of the group `baseline` offers."""

    def build(self, observation_size: int, seeds: list[int]) -> Baseline:
        """The baseline of `len(seeds)` learners."""

    def optimizer(self, baseline: Baseline) -> StackedOptimizer | None:
        """What makes the baseline's losses small; None where there is nothing to learn."""


@dataclass(frozen=True)
class NoBaselineOption:
    """No baseline."""

    def build(self, observation_size: int, seeds: list[int]) -> Baseline:
        return Baseline()

    def optimizer(self, baseline: Baseline) -> StackedOptimizer | None:
        return None


@dataclass(frozen=True)
class MeanOption(NoBaselineOption):
    """The mean of the batch's returns."""

    def build(self, observation_size: int, seeds: list[int]) -> Baseline:
        return MeanBaseline()


@dataclass(frozen=True)
class MovingAverageOption(NoBaselineOption):
    """A moving average of earlier batches."""

    decay: Annotated[float, Ge(0), Lt(1)]

    def build(self, observation_size: int, seeds: list[int]) -> Baseline:
        return MovingAverage(len(seeds), self.decay)


@dataclass(frozen=True)
class ValueOption:
    """A learned V(s), with Adam."""

    hidden: Annotated[int, Ge(1)]
    layers: Annotated[int, Ge(1)]
    activation: Activation
    initialisation: Initialisation
    learning_rate: LearningRate
    steps: Annotated[int, Ge(1)]
    bootstrap: bool

    def build(self, observation_size: int, seeds: list[int]) -> Baseline:
        network = StackedMLP(
            len(seeds),
            observation_size,
            1,
            hidden=self.hidden,
            layers=self.layers,
            activation=self.activation,
            bias=True,
        )
        network.initialise(seeds, Purpose.BASELINE_PARAMETERS, self.initialisation, output_gain=1.0)
        return ValueBaseline(network, steps=self.steps, bootstraps=self.bootstrap)

    def optimizer(self, baseline: Baseline) -> StackedOptimizer | None:
        rule = Adam(self.learning_rate, weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8, decoupled=False)
        return StackedOptimizer(baseline.named_parameters("baseline"), rule)


OPTIONS: dict[str, type] = {
    "none": NoBaselineOption,
    "mean": MeanOption,
    "moving_average": MovingAverageOption,
    "value": ValueOption,
}
