"""Options of `policy` and `baseline` whose networks are given normalised observations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pg_experiments.normalization.observations import Bounds, NormalizedNetwork, Running
from pg_experiments.support.errors import one_line
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network

Scale = Callable[[int, Any], Running | Bounds]  # from the number of learners and the observation space
OWN, OF_NETWORK = "network.scale.", "network.network."  # prefixes of the wrapper's numbers, and of the network's


class HasNetwork(Protocol):
    """A policy or a baseline."""

    network: Any


class BuildsPolicy(Protocol):
    """An option of the group `policy`."""

    def build(self, observations: Any, actions: Any, learners: Learners) -> Any: ...

    def load(self, observations: Any, actions: Any, parameters: Mapping[str, Tensor]) -> Any: ...


class BuildsBaseline(Protocol):
    """An option of the group `baseline`."""

    def build(self, observations: Any, policy: Network, learners: Learners, device: torch.device) -> Any: ...


@dataclass(frozen=True)
class NormalizedPolicy:
    """A policy whose network is wrapped."""

    option: BuildsPolicy
    scale: Scale

    def build(self, observations: Any, actions: Any, learners: Learners) -> Any:
        """As `PolicyOption.build`. Raises UserError where the observations cannot be normalised."""
        return self._wrapped(self.option.build(observations, actions, learners), len(learners), observations)

    def load(self, observations: Any, actions: Any, parameters: Mapping[str, Tensor]) -> Any:
        """As `PolicyOption.load`, with the numbers that the observations are normalised with."""
        own = {name.removeprefix(OWN): value for name, value in parameters.items() if name.startswith(OWN)}
        others = {
            name.replace(OF_NETWORK, "network.", 1): value
            for name, value in parameters.items()
            if not name.startswith(OWN)
        }
        policy = self._wrapped(self.option.load(observations, actions, others), 1, observations)
        try:
            policy.network.scale.load_state_dict(own)
        except RuntimeError as error:
            raise ValueError(one_line(str(error))) from None
        return policy

    def _wrapped(self, policy: HasNetwork, learners: int, observations: Any) -> Any:
        policy.network = NormalizedNetwork(policy.network, self.scale(learners, observations), owner=True)
        return policy


@dataclass(frozen=True)
class NormalizedBaseline:
    """A baseline whose network, if it has one, normalises as the policy's."""

    option: BuildsBaseline

    def build(self, observations: Any, policy: Network, learners: Learners, device: torch.device) -> Any:
        """As `BaselineOption.build`."""
        assert isinstance(policy, NormalizedNetwork), "the policy is that of `NormalizedPolicy`"
        if getattr(self.option, "shares_features", False):  # of the policy's network, which normalises
            return self.option.build(observations, policy, learners, device)
        built: HasNetwork = self.option.build(observations, policy.network, learners, device)
        if built.network is not None:
            built.network = NormalizedNetwork(built.network, policy.shared[0], owner=False)
        return built
