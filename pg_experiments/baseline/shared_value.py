"""V(s) on the hidden layers of the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import gymnasium
import numpy as np
import torch
from annotated_types import Gt
from torch import Tensor, nn

from pg_experiments.baseline.base import Baseline
from pg_experiments.baseline.value import ValueBaseline
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.initialisation import Initialisation
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import (
    FromFeatures,
    Network,
    Observations,
    Pullback,
    SharesFeatures,
    WithFeatures,
    innermost,
)
from pg_experiments.tensors.stacked import BoundMLP, StackedMLP
from pg_experiments.tensors.streams import Purpose

Evaluated = tuple[Tensor, Pullback]  # outputs [R, N, K] without their graph, and what differentiates them


@dataclass(frozen=True)
class BoundSharedValue:
    """The shared layers and the output layer of some learners."""

    trunk: WithFeatures
    output: BoundMLP

    def with_policy(self, observations: Observations) -> tuple[Evaluated, Evaluated] | None:
        """The policy's outputs and V(s) from one evaluation of the shared layers; None where these have no such form.

        The gradient goes back through the shared layers when both have got theirs.
        """
        if not isinstance(self.trunk, FromFeatures):
            return None
        features = self.trunk.features(observations)
        outputs, values = self.trunk.from_features(features), self.output(features)
        given: dict[str, Tensor] = {}

        def pull_back(which: str, gradient: Tensor) -> None:
            given[which] = gradient
            if len(given) == 2:
                torch.autograd.backward((outputs, values), (given["policy"], given["value"]))

        return (outputs.detach(), partial(pull_back, "policy")), (values.detach(), partial(pull_back, "value"))

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        return self.output(self.trunk.features(observations))


class SharedValueNetwork(nn.Module):
    """A linear map of the last hidden layer of the policy, without its dropout."""

    outputs = 1
    noise_shape: tuple[int, ...] = ()
    has_noise = False

    def __init__(self, policy: Network, output: StackedMLP) -> None:
        """`output` is the linear map; the policy's parameters are not counted as this network's."""
        super().__init__()
        self._policy: Sequence[Network] = [policy]  # in a list, which `nn.Module` does not search for parameters
        self.output = output

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """Nothing, as there is no noise."""
        return np.zeros((count, 0), dtype=np.bool_)

    def bind(self, learners: Tensor | None = None) -> BoundSharedValue:
        """Binds both parts to the learners with indices [R]; None: all learners."""
        (policy,) = self._policy
        trunk = policy.bind(learners)
        assert isinstance(trunk, WithFeatures), "checked when it was built"
        return BoundSharedValue(trunk, self.output.bind(learners))


@dataclass(frozen=True)
class SharedValueOption:
    """A learned V(s), whose hidden layers are those of the policy. Its gradient changes the policy's layers, too."""

    is_mean_of_batch: ClassVar[bool] = False
    estimates_values: ClassVar[bool] = True
    learning_rate: ClassVar[None] = None  # trained by the policy's optimizer
    steps: ClassVar[int] = 1
    bootstrap: ClassVar[bool] = False
    shares_features: ClassVar[bool] = True
    initialisation: Initialisation
    loss_coefficient: Annotated[float, Gt(0)]
    clip_range: Annotated[float, Gt(0)] | None

    def validate(self, config: Any) -> None:
        """Raises UserError where the policy is trained by itself, or has no hidden layer."""
        if not getattr(config.algorithm, "is_actor_critic", False):
            raise UserError(
                "baseline=shared_value: V(s) and the policy are trained together, as by algorithm=a2c or ppo; the "
                "nearest is baseline=value"
            )
        if not getattr(config.policy, "has_features", getattr(config.policy, "layers", 0) > 0):
            raise UserError(
                "baseline=shared_value: shares the hidden layers of policy=mlp, gru or cnn, and this policy has none "
                "of that kind; the nearest is baseline=value"
            )

    def build(
        self, observations: gymnasium.Space[Any], policy: Network, learners: Learners, device: torch.device
    ) -> Baseline:
        shared = innermost(policy)
        assert isinstance(shared, SharesFeatures), "checked by `validate`"
        output = StackedMLP(len(learners), shared.num_features, 1, hidden=0, layers=0, activation="tanh", bias=True)
        output.initialise(learners, Purpose.BASELINE_PARAMETERS, self.initialisation, output_gain=1.0)
        return ValueBaseline(self, SharedValueNetwork(policy, output).to(device), learners)
