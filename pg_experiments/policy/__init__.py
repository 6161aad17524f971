"""The group `policy`: the network that parameterises the policy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Protocol

import gymnasium
import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from pg_experiments.policy.batch_norm import refuse_with_batch_norm
from pg_experiments.policy.building import FIRST_POLICY_GAIN, has_log_std, loaded, network_outputs, policy_of
from pg_experiments.policy.convolutional import CNN
from pg_experiments.policy.gaussian_heads import Spread
from pg_experiments.policy.heads import HeadName, head_of
from pg_experiments.policy.policy import Policy
from pg_experiments.policy.recurrent import GRU
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.batch_normed_mlp import BatchNormedMLP
from pg_experiments.tensors.fused import Activation
from pg_experiments.tensors.initialisation import Initialisation
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network
from pg_experiments.tensors.normed_mlp import Norm, NormedMLP
from pg_experiments.tensors.stacked import StackedMLP
from pg_experiments.tensors.stacked_module import StackedModule
from pg_experiments.tensors.streams import Purpose


class PolicyOption(Protocol):
    """An option of the group `policy`."""

    def build(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners) -> Policy:
        """Builds the policy of all learners. Raises UserError where it does not fit the spaces."""

    def load(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], parameters: Mapping[str, Tensor]
    ) -> Policy:
        """Builds the policy of one learner from its parameters, each with a leading axis of 1.

        Raises:
            UserError: the policy does not fit the spaces.
            ValueError: the parameters are not those of such a policy.
        """


@dataclass(frozen=True)
class MLP(Spread):
    """A multi-layer perceptron with dropout before each activation, as in the text."""

    head: HeadName
    hidden: Annotated[int, Ge(1)]
    layers: Annotated[int, Ge(1)]
    activation: Activation
    dropout: Annotated[float, Ge(0), Lt(1)]
    bias: bool
    initialisation: Initialisation
    norm: Norm = "none"

    def validate(self, config: Any) -> None:
        """Raises UserError where another option does not learn with the statistics of the whole batch."""
        if self.norm == "batch":
            refuse_with_batch_norm(config)

    def build(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners) -> Policy:
        """Builds the policy of all learners. Images are flattened. Raises UserError where the head does not fit."""
        policy, network = self._uninitialised(observations, actions, learners)
        network.initialise(learners, Purpose.POLICY_PARAMETERS, self.initialisation, FIRST_POLICY_GAIN)
        return policy

    def load(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], parameters: Mapping[str, Tensor]
    ) -> Policy:
        """As `PolicyOption.load`. The number of parameters is checked before anything is allocated."""
        of_norm = {"none": 0, "layer": 2, "batch": 5}[self.norm]  # gain and offset; mean, variance and their count
        expected = (self.layers + 1) * (1 + self.bias) + of_norm + has_log_std(head_of(self.head, actions, self))
        if len(parameters) != expected:
            raise ValueError(f"{len(parameters)} tensors of parameters, not {expected}")
        return loaded(lambda: self._uninitialised(observations, actions, Learners([0]))[0], parameters)

    def _uninitialised(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners
    ) -> tuple[Policy, StackedMLP]:
        head = head_of(self.head, actions, self)
        shape = observations.shape or ()
        perceptrons = StackedMLP(
            len(learners),
            math.prod(shape),
            network_outputs(head),
            hidden=self.hidden,
            layers=self.layers,
            activation=self.activation,
            bias=self.bias,
            dropout=learners.values("policy.dropout", self.dropout),
        )
        wrappers = {"none": lambda network: network, "layer": NormedMLP, "batch": BatchNormedMLP}
        network = wrappers[self.norm](perceptrons)
        return policy_of(network, head, observations, learners), perceptrons


@dataclass(frozen=True)
class Linear(Spread):
    """The text's linear policy: outputs θ_a · s, and no hidden layer to drop units from."""

    head: HeadName
    bias: bool
    initialisation: Initialisation
    initial_weights: list[float] | None = None

    def build(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners) -> Policy:
        """As `MLP.build`, without hidden layers. Raises UserError where `initial_weights` do not fit the outputs."""
        policy = self._perceptron.build(observations, actions, learners)
        if self.initial_weights is not None:
            self._set_weights(policy.network)
        return policy

    def load(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], parameters: Mapping[str, Tensor]
    ) -> Policy:
        """As `MLP.load`."""
        return self._perceptron.load(observations, actions, parameters)

    def _set_weights(self, network: Network) -> None:
        """Sets every weight of an output to its first value."""
        if not isinstance(network, StackedMLP) or len(self.initial_weights or ()) != network.outputs:
            raise UserError(
                f"policy.initial_weights={self.initial_weights}: expected a number for each of the "
                f"{network.outputs} outputs"
            )
        with torch.no_grad():
            network.weights[0].copy_(torch.tensor(self.initial_weights))

    @property
    def _perceptron(self) -> MLP:
        spread = {field.name: getattr(self, field.name) for field in fields(Spread)}
        return MLP(self.head, 0, 0, "relu", 0.0, self.bias, self.initialisation, **spread)


@dataclass(frozen=True, kw_only=True)
class ModulePolicy(Spread):
    """Base class of policies with any `torch.nn.Module`. Subclasses add fields and implement `module`."""

    head: HeadName = "auto"

    def module(self, observation_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A module that maps observations [N, *observation_shape] to [N, outputs]."""
        raise TypeError(f"{type(self).__name__} makes no module")

    def build(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners) -> Policy:
        """Builds the policy of all learners. Raises UserError where the head or the module does not fit."""
        head = head_of(self.head, actions, self)
        shape, outputs = observations.shape or (), network_outputs(head)
        network = StackedModule(
            lambda: self.module(shape, outputs),
            learners,
            Purpose.POLICY_PARAMETERS,
            observation_shape=shape,
            outputs=outputs,
        )
        return policy_of(network, head, observations, learners)

    def load(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], parameters: Mapping[str, Tensor]
    ) -> Policy:
        """As `PolicyOption.load`."""
        return loaded(lambda: self.build(observations, actions, Learners([0])), parameters)


OPTIONS: dict[str, type] = {"mlp": MLP, "linear": Linear, "gru": GRU, "cnn": CNN}
