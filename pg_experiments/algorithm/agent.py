"""Interface between an algorithm and a run: an agent with a policy, which learns from batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import gymnasium
import torch
from torch import Tensor, nn

from pg_experiments.baseline import BaselineOption
from pg_experiments.normalization import Normalization
from pg_experiments.optimizer import OptimizerOption
from pg_experiments.policy import PolicyOption
from pg_experiments.policy.policy import Policy
from pg_experiments.returns import ReturnsOption
from pg_experiments.support.files import Directory
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.rollout import Rollout


class Broken(NamedTuple):
    """The reason why a learner cannot continue."""

    what: str  # the quantity that is not finite
    hint: str  # settings that may help


class Update(NamedTuple):
    """The result of learning from a batch."""

    metrics: dict[str, Tensor]  # [R] each; a subset of the metrics that the agent declares
    broken: dict[int, Broken]  # by the learner's index; its parameters are those from before the step


class Part(NamedTuple):
    """A network that an agent trains."""

    network: Network
    learning_rate: str  # config key of its learning rate


class Agent(Protocol):
    """R learners of one algorithm.

    Attributes:
        policy: the policy that acts.
        parts: the trained networks, by config group.
        modules: the modules whose parameters and gradients are shown as histograms.
        metrics: the metrics that `learn` reports, in the order of the columns.
        keeps_graph: whether the collector keeps the graph of the policy's outputs; `environment`: in place of it the
            graph through policy and environment, `Rollout.graph`.
    """

    policy: Policy
    parts: Mapping[str, Part]
    modules: Mapping[str, nn.Module]
    metrics: Sequence[Metric]
    keeps_graph: bool | Literal["environment"]

    def learn(self, rollout: Rollout, progress: Tensor) -> Update:
        """Learns from a batch.

        Args:
            rollout: the batch of the R learners that took part.
            progress: [R] float64, the used-up fraction of each learner's limits, 0 to 1.
        """

    def state(self) -> dict[str, Any]:
        """The complete state for the next update: nested dicts of tensors and numbers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""


@runtime_checkable
class KeepsFiles(Protocol):
    """An agent that keeps more than a checkpoint in the run's directory, in files that are only appended to."""

    def keep_in(self, files: Directory) -> None:
        """Keeps it in these files from now on. Called after `restore`, once the files are as at that state.

        Raises:
            FileError: the files are not those of the state.
        """


@runtime_checkable
class HasEpisodeGradients(Protocol):
    """An agent that estimates its policy's gradient from each column of a batch by itself.

    Its option says so in its class variable `has_episode_gradients`.
    """

    def sample_gradients(self, rollout: Rollout) -> Iterator[Tensor]:
        """Yields the estimates in parts [R, n, P] of consecutive columns: episodes, or fragments of an environment.

        Their mean over all columns is the gradient that the policy ascends when the agent learns from the batch, at the
        current parameters; with several gradient steps per batch, that of the whole batch before the first one. The
        gradient of an entropy bonus is not included. The P numbers are in the order of `policy.parameters()`. Nothing
        is changed.
        """


class Choices(Protocol):
    """The options that an agent is composed of."""

    @property
    def policy(self) -> PolicyOption: ...

    @property
    def returns(self) -> ReturnsOption: ...

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
        """Builds the agent. Raises UserError where an option does not fit the spaces."""
