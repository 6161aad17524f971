"""The option `gru`: a recurrent policy, which remembers what it has seen in an episode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
from annotated_types import Ge
from torch import Tensor

from pg_experiments.policy.building import FIRST_POLICY_GAIN, loaded, network_outputs, policy_of
from pg_experiments.policy.gaussian_heads import Spread
from pg_experiments.policy.heads import HeadName, head_of
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.initialisation import Initialisation
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.stacked_gru import StackedGRU
from pg_experiments.tensors.streams import Purpose


@dataclass(frozen=True)
class GRU(Spread):
    """A layer of gated recurrent units (Cho et al. 2014), whose state is carried through an episode."""

    has_features: ClassVar[bool] = True
    is_recurrent: ClassVar[bool] = True
    head: HeadName
    hidden: Annotated[int, Ge(1)]
    initialisation: Initialisation

    def validate(self, config: Any) -> None:
        """Raises UserError where another option needs a policy without a state."""
        if config.env.emulators is not None:
            raise UserError(
                f"policy=gru with {config.env.label}: games that span batches are played without a state; "
                "the nearest is policy=mlp"
            )
        shares = getattr(config.baseline, "shares_features", False)
        if config.baseline.estimates_values and not shares and _bootstraps(config):
            raise UserError(
                "policy=gru: returns that are continued with V(s) of a single observation are biased where that is not "
                "the whole state; the nearest is baseline=shared_value, which is V of the recurrent state"
            )
        count = getattr(config.algorithm, "num_minibatches", 1)
        columns = getattr(config.collect, "num_envs", None) or config.collect.episodes_per_batch
        if columns % count:
            raise UserError(
                f"algorithm.num_minibatches={count}: with policy=gru a mini-batch has whole columns, and {columns} "
                f"environments are not divided evenly; the nearest is {math.gcd(count, columns)}"
            )

    def build(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners) -> Policy:
        """Builds the policy of all learners. Raises UserError where the head does not fit."""
        policy, network = self._uninitialised(observations, actions, learners)
        network.initialise(learners, Purpose.POLICY_PARAMETERS, self.initialisation, FIRST_POLICY_GAIN)
        return policy

    def load(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], parameters: Mapping[str, Tensor]
    ) -> Policy:
        """As `PolicyOption.load`."""
        return loaded(lambda: self._uninitialised(observations, actions, Learners([0]))[0], parameters)

    def _uninitialised(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners
    ) -> tuple[Policy, StackedGRU]:
        head = head_of(self.head, actions, self)
        inputs = math.prod(observations.shape or ())
        network = StackedGRU(len(learners), inputs, network_outputs(head), hidden=self.hidden)
        return policy_of(network, head, observations, learners), network


def _bootstraps(config: Any) -> bool:
    """Whether V(s) continues returns."""
    return bool(config.returns.uses_values or getattr(config.baseline, "bootstrap", False))
