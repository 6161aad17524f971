"""The group `policy`: which network chooses the actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Lt
from torch import Tensor

from pg_experiments.policy.heads import HEADS
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import one_line
from pg_experiments.tensors.stacked import Activation, Initialisation, StackedMLP
from pg_experiments.tensors.streams import Purpose

HeadName = Literal["categorical", "bernoulli"]
FIRST_POLICY_GAIN = 0.01  # a small last layer: the first policy is close to uniform (Andrychowicz et al. 2021)


@dataclass(frozen=True)
class MLP:
    """A multi-layer perceptron with dropout before each activation, as in the text."""

    head: HeadName
    hidden: Annotated[int, Ge(1)]
    layers: Annotated[int, Ge(1)]
    activation: Activation
    dropout: Annotated[float, Ge(0), Lt(1)]
    bias: bool
    initialisation: Initialisation

    def build(self, observation_size: int, num_actions: int, seeds: list[int]) -> Policy:
        """A policy of `len(seeds)` learners. Raises UserError where the head does not fit the actions."""
        policy = self._uninitialised(observation_size, num_actions, len(seeds))
        policy.network.initialise(seeds, Purpose.POLICY_PARAMETERS, self.initialisation, FIRST_POLICY_GAIN)
        return policy

    def load(self, observation_size: int, num_actions: int, parameters: Mapping[str, Tensor]) -> Policy:
        """A policy of one learner with those parameters, each with a leading axis of 1.

        Raises:
            UserError: the head does not fit the actions.
            ValueError: the parameters are not those of such a policy.
        """
        expected = (self.layers + 1) * (1 + self.bias)  # before anything is allocated for as many layers
        if len(parameters) != expected:
            raise ValueError(f"{len(parameters)} parameters, where the policy has {expected}")
        try:
            policy = self._uninitialised(observation_size, num_actions, 1)
            policy.load_state_dict(parameters)
        except (RuntimeError, TypeError, OverflowError) as error:
            raise ValueError(one_line(str(error))) from None
        return policy

    def _uninitialised(self, observation_size: int, num_actions: int, learners: int) -> Policy:
        head = HEADS[self.head]()
        network = StackedMLP(
            learners,
            observation_size,
            head.num_logits(num_actions),
            hidden=self.hidden,
            layers=self.layers,
            activation=self.activation,
            bias=self.bias,
        )
        return Policy(network, head, dropout=self.dropout, mask_shape=(self.layers, self.hidden))


@dataclass(frozen=True)
class Linear:
    """The text's linear softmax policy: logits θ_a · s, and no hidden layer to drop units from."""

    head: HeadName
    bias: bool
    initialisation: Initialisation

    def build(self, observation_size: int, num_actions: int, seeds: list[int]) -> Policy:
        """As `MLP.build`: without a hidden layer, a perceptron is linear."""
        return self._perceptron.build(observation_size, num_actions, seeds)

    def load(self, observation_size: int, num_actions: int, parameters: Mapping[str, Tensor]) -> Policy:
        """As `MLP.load`."""
        return self._perceptron.load(observation_size, num_actions, parameters)

    @property
    def _perceptron(self) -> MLP:
        return MLP(self.head, 0, 0, "relu", 0.0, self.bias, self.initialisation)


OPTIONS: dict[str, type] = {"mlp": MLP, "linear": Linear}
