"""What options of the group `policy` build a policy with: from a network and a head, and from loaded parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import torch
from torch import Tensor

from pg_experiments.policy.gaussian_heads import GaussianHead
from pg_experiments.policy.heads import Head
from pg_experiments.policy.policy import Policy
from pg_experiments.policy.with_log_std import WithLogStd
from pg_experiments.support.errors import one_line
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Network

FIRST_POLICY_GAIN = 0.01  # a small last layer: the first policy hardly depends on the state (Andrychowicz et al. 2021)


def network_outputs(head: Head) -> int:
    """Number of outputs of the network below a head, without those that `policy_of` appends."""
    return head.num_outputs - (head.num_noise if has_log_std(head) else 0)


def policy_of(network: Network, head: Head, observations: gymnasium.Space[Any], learners: Learners) -> Policy:
    """The policy of a network with `network_outputs(head)` outputs. A state-independent log σ is appended to them."""
    if has_log_std(head):
        network = WithLogStd(network, len(learners), head.num_noise)
    return Policy(network, head, observation_shape=observations.shape or ())


def has_log_std(head: Head) -> bool:
    """Whether the policy of a head has a state-independent log σ."""
    return isinstance(head, GaussianHead) and head.has_log_std


def loaded(make: Callable[[], Policy], parameters: Mapping[str, Tensor]) -> Policy:
    """A policy with the given parameters. Sizes are checked on the meta device first, as the config is not trusted.

    Raises:
        ValueError: the parameters are not those of the policy that `make` builds.
    """
    try:
        with torch.device("meta"):
            expected = sum(value.numel() for value in make().state_dict().values())
        if (found := sum(parameter.numel() for parameter in parameters.values())) != expected:
            raise ValueError(f"{found} parameters, not {expected}")
        policy = make()
        for name, value in policy.state_dict().items():
            if name in parameters and parameters[name].dtype != value.dtype:  # PyTorch would round it silently
                raise ValueError(f"{name}: expected {value.dtype}, not {parameters[name].dtype}")
        policy.load_state_dict(parameters)
    except (RuntimeError, TypeError, OverflowError) as error:
        raise ValueError(one_line(str(error))) from None
    return policy
