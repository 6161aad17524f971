"""What an algorithm offers the run: an agent that acts with its policy and learns from batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import torch
from torch import Tensor, nn

from pg_experiments.baseline import BaselineOption
from pg_experiments.normalization import Normalization
from pg_experiments.optimizer import OptimizerOption
from pg_experiments.policy import PolicyOption
from pg_experiments.policy.policy import Policy
from pg_experiments.returns import Returns
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import Rollout


class Broken(NamedTuple):
    """Why a learner cannot continue."""

    what: str  # is not finite
    hint: str  # which settings may help


class Update(NamedTuple):
    """The result of learning from a batch."""

    metrics: dict[str, Tensor]  # of those that the agent declares, [R] each
    broken: dict[int, Broken]  # by the learner's index; its parameters are those of before the step


class Part(NamedTuple):
    """A network that an agent trains."""

    network: Network
    learning_rate: str  # the key of its learning rate


class Agent(Protocol):
    """R learners of one algorithm.

    Attributes:
        policy: that acts.
        parts: the networks that are trained, by the group that they belong to.
        modules: what histograms of parameters and gradients are shown of.
        metrics: what `learn` reports, in the order of the columns.
        keeps_graph: whether the collector is to keep the graph of the policy's outputs.
    """

    policy: Policy
    parts: Mapping[str, Part]
    modules: Mapping[str, nn.Module]
    metrics: Sequence[Metric]
    keeps_graph: bool

    def learn(self, rollout: Rollout, progress: Tensor) -> Update:
        """Learns from a batch.

        Args:
            rollout: of the learners that took part.
            progress: [R] float64, the share of its limits that each of them has used up, 0 to 1.
        """

    def state(self) -> dict[str, Any]:
        """Everything that the next update depends on: nested dicts of tensors and numbers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues from a state."""


class Choices(Protocol):
    """The options that an agent is composed of."""

    @property
    def policy(self) -> PolicyOption: ...

    @property
    def returns(self) -> Returns: ...

    @property
    def baseline(self) -> BaselineOption: ...

    @property
    def normalization(self) -> Normalization: ...

    @property
    def optimizer(self) -> OptimizerOption: ...


class AlgorithmOption(Protocol):
    """An option of the group `algorithm`."""

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> Agent:
        """The agent. Raises UserError where an option does not fit the spaces."""
