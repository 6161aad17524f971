"""The group `diagnostics`: what is measured of learning while a run trains, beside the metrics of its agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import cosine_similarity

from pg_experiments.algorithm import with_episode_gradients
from pg_experiments.algorithm.agent import Agent, HasEpisodeGradients
from pg_experiments.algorithm.gradient_statistics import gradient_statistics
from pg_experiments.support.errors import UserError
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.rollout import Rollout

COLUMNS = {"episodes": "episodes", "points": "points", "num_envs": "environments"}  # by key of `collect`


class Diagnostics(Protocol):
    """What is measured of the R learners of a run."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """The metrics that `measure` reports, in the order of the columns."""

    def measure(self, update: int, rollout: Rollout) -> dict[str, Tensor]:
        """Measures before the agent learns from a batch. Nothing that learning depends on is changed.

        Args:
            update: index of the update.
            rollout: the batch of the R' learners that take part, as it is learned from.

        Returns:
            [R'] for each metric; NaN for no value.
        """

    def state(self) -> dict[str, Any]:
        """The complete state for the next update: nested dicts of tensors and numbers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""


class DiagnosticsOption(Protocol):
    """An option of the group `diagnostics`."""

    def build(self, agent: Agent) -> Diagnostics:
        """Builds what measures this agent."""


class Nothing:
    """No measurement."""

    metrics: Sequence[Metric] = ()

    def measure(self, update: int, rollout: Rollout) -> dict[str, Tensor]:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        return


class GradientNoise:
    """Signal and noise of the policy's gradient of a batch, from the gradients of its columns.

    The statistics are those of `GradientStatistics`, for which columns are independent. Whole episodes are, given the
    policy; points of one game, and columns whose advantages are normalised over the batch, are not quite. The cosine is
    that of the batch's gradient with the one of the previous measurement, or NaN.
    """

    metrics: Sequence[Metric] = (
        Metric("gradient_variance", "", "gradients/variance"),
        Metric("gradient_snr", "", "gradients/snr"),
        Metric("gradient_noise_scale", "episodes", "gradients/noise_scale"),
        Metric("gradient_mean_norm", "", "gradients/norm"),
        Metric("gradient_cosine", "", "gradients/cosine"),
    )

    def __init__(self, every: int, agent: Agent) -> None:
        """`every` is the number of updates from a measurement to the next."""
        assert isinstance(agent, HasEpisodeGradients), "checked by `Gradients.validate`"
        self.every, self.agent = every, agent
        parameters = list(agent.policy.parameters())
        numbers = sum(parameter[0].numel() for parameter in parameters)
        # NaN for learners that were not measured before
        self.previous = torch.full((len(parameters[0]), numbers), torch.nan, device=parameters[0].device)

    def measure(self, update: int, rollout: Rollout) -> dict[str, Tensor]:
        """As `Diagnostics.measure`; NaN in updates without a measurement."""
        if update % self.every:
            nothing = torch.full((len(rollout.learners),), torch.nan)
            return {metric.name: nothing for metric in self.metrics}
        found = gradient_statistics(self.agent.sample_gradients(rollout))
        mean = found.mean.to(self.previous.dtype)
        cosine = cosine_similarity(mean.double(), self.previous[rollout.learners].double(), dim=1)
        self.previous[rollout.learners] = mean
        values = (found.variance, found.snr, found.noise_scale, found.norm, cosine)
        return {metric.name: value for metric, value in zip(self.metrics, values, strict=True)}

    def state(self) -> dict[str, Any]:
        return {"previous": self.previous.clone()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.previous.copy_(state["previous"])


@dataclass(frozen=True)
class NoDiagnostics:
    """Nothing is measured."""

    def build(self, agent: Agent) -> Diagnostics:
        return Nothing()


@dataclass(frozen=True)
class Gradients:
    """Signal and noise of the policy's gradient, every some updates."""

    every: Annotated[int, Ge(1)]

    def validate(self, config: Any) -> None:
        """Raises UserError where columns have no gradients, or there is only one."""
        if not getattr(config.algorithm, "has_episode_gradients", False):
            raise UserError(
                f"diagnostics=gradients: algorithm={type(config.algorithm).__name__.lower()} has no gradients of "
                f"episodes; use algorithm={with_episode_gradients()}, or the nearest is diagnostics=none"
            )
        if getattr(config.policy, "norm", "none") == "batch":
            raise UserError(
                "diagnostics=gradients with policy.norm=batch: an episode has no gradient of its own, as it depends on "
                "the batch's other episodes; the nearest is policy.norm=layer"
            )
        for key, unit in COLUMNS.items():
            if getattr(config.collect, key, None) == 1:
                raise UserError(
                    f"diagnostics=gradients with collect.{key}=1: estimates the variance between the {unit} of a "
                    f"batch, which needs at least two; the nearest is collect.{key}=2"
                )

    def build(self, agent: Agent) -> Diagnostics:
        return GradientNoise(self.every, agent)


OPTIONS: dict[str, type] = {"none": NoDiagnostics, "gradients": Gradients}
