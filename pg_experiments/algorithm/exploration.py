"""Uniformly distributed actions, with which a replay buffer begins."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pg_experiments.policy.compiled_heads import INSIDE
from pg_experiments.policy.discrete_heads import Categorical
from pg_experiments.policy.gaussian_heads import SquashedGaussianHead

Array = TypeVar("Array", Tensor, np.ndarray)


class ExploringHead:
    """A head that chooses uniformly distributed actions while `is_random`, whatever the network's outputs."""

    is_greedy = False

    def __init__(self, head: Categorical | SquashedGaussianHead, hold: int) -> None:
        """`hold` is the number of steps for which such an action is kept; 1: a new one at every step."""
        self.head = head
        self.hold = hold
        self.is_random = True
        self.num_outputs, self.num_noise, self.max_entropy = head.num_outputs, head.num_noise, head.max_entropy
        self.action_shape, self.is_continuous = head.action_shape, head.is_continuous
        self.rule, self.limits, self.bounds = head.rule, head.limits, head.bounds
        self.for_environment, self.summaries, self.at = head.for_environment, head.summaries, head.at

    def noise(self, uniform: Tensor) -> Tensor:
        """As `Head.noise`, for the steps [T, …] of a batch."""
        if not self.is_random:
            return self.head.noise(uniform)
        steps = torch.arange(len(uniform), device=uniform.device)
        held = uniform[steps - steps % self.hold]
        if self.is_continuous:
            return ((2 * held - 1) * INSIDE).atanh()  # the action before tanh
        return self.head.noise(held)

    def sample(self, outputs: Array, noise: Array) -> Array:
        """As `Head.sample`."""
        if not self.is_random:
            return self.head.sample(outputs, noise)
        if self.is_continuous:
            return noise
        return self.head.sample(outputs * 0, noise)
