"""Heads over `Box` spaces of real numbers: Gaussian, and Gaussian squashed by tanh to the bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import gymnasium
import numpy as np
import torch
from annotated_types import Gt
from gymnasium.spaces import Box
from torch import Tensor

from pg_experiments.policy.compiled_heads import GAUSSIAN, SQUASHED_GAUSSIAN
from pg_experiments.policy.gaussians import GaussianDistribution, LogStd, SquashedGaussianDistribution
from pg_experiments.policy.normal_noise import normal_noise
from pg_experiments.support.errors import UserError

Array = TypeVar("Array", Tensor, np.ndarray)
Std = Literal["state_independent", "state_dependent"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The standard deviation σ of a Gaussian head: keys of every option of `policy`, which other heads do not use."""

    std: Std = "state_independent"
    initial_std: Annotated[float, Gt(0)] = 1.0
    min_std: Annotated[float, Gt(0)] = 0.001
    max_std: Annotated[float, Gt(0)] = 10.0

    def log_std(self) -> LogStd:
        """log σ as a function of outputs. Raises UserError where the initial value is not between the limits."""
        if not self.min_std < self.initial_std < self.max_std:
            raise UserError(
                f"policy.initial_std={self.initial_std}: expected a number above policy.min_std={self.min_std} and "
                f"below policy.max_std={self.max_std}"
            )
        return LogStd(*map(math.log, (self.initial_std, self.min_std, self.max_std)))


class GaussianHead:
    """Independent normal distributions of the A numbers of an action, in the units of the environment.

    Outputs [..., 2A] are the means, and A numbers from which `LogStd` computes log σ. Actions are [..., A]. The
    environment gets them clipped to the bounds of its space; their probabilities are those before clipping.
    """

    is_greedy = False
    is_continuous = True
    max_entropy: float | None = None
    rule: int | None = GAUSSIAN

    def __init__(self, space: gymnasium.Space[Any], spread: Spread) -> None:
        """Raises UserError where the standard deviations are contradictory."""
        assert isinstance(space, Box), "checked by `head_of`"
        self.space = space
        self.num_noise = math.prod(space.shape)
        self.num_outputs = 2 * self.num_noise
        self.action_shape: tuple[int, ...] = (self.num_noise,)
        self.has_log_std = spread.std == "state_independent"  # whether log σ is a parameter beside the network
        self.log_std = spread.log_std()
        self.limits = np.array([self.log_std.offset, self.log_std.low, self.log_std.high])
        self.bounds = np.stack([space.low.ravel(), space.high.ravel()]).astype(np.float32)

    def noise(self, uniform: Tensor) -> Tensor:
        """Normal noise, by the inverse of the distribution function."""
        return normal_noise(uniform)

    def sample(self, outputs: Array, noise: Array) -> Array:
        """μ + σ · noise, differentiable with respect to the outputs."""
        if isinstance(outputs, np.ndarray):
            sampled: Array = self.sample(torch.from_numpy(outputs), torch.from_numpy(noise)).numpy()
            return sampled
        mean, scales = outputs.chunk(2, -1)
        actions: Array = mean + self.log_std(scales)[0].exp() * noise
        return actions

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        return self._shaped(np.clip(actions, self.space.low.ravel(), self.space.high.ravel()))

    def within_bounds(self, actions: Tensor) -> Tensor:
        """As `for_environment`, for tensors [..., A]: differentiable, with the derivative 0 beyond the bounds."""
        low, high = torch.from_numpy(self.bounds).to(actions)
        return actions.clamp(low, high)

    def summaries(self, outputs: Tensor, names: Sequence[str] | None) -> dict[str, Tensor]:
        """Mean and standard deviation of each number, before it is clipped or squashed."""
        distribution = self.at(outputs)
        means, stds = distribution.mean.unbind(-1), distribution.log_std.exp().unbind(-1)
        found = {f"mean_of_action_{i}": mean for i, mean in enumerate(means)}
        return found | {f"std_of_action_{i}": std for i, std in enumerate(stds)}

    def at(self, outputs: Tensor) -> GaussianDistribution:
        return GaussianDistribution(outputs, self.log_std)

    def _shaped(self, actions: np.ndarray) -> np.ndarray:
        return actions.reshape(-1, *self.space.shape).astype(self.space.dtype)


class SquashedGaussianHead(GaussianHead):
    """tanh of a normal distribution, from (−1, 1) to the bounds of the space.

    Actions in a rollout are those before tanh, u [..., A]. Probabilities are densities of tanh u on (−1, 1), whatever
    the bounds.
    """

    rule: int | None = SQUASHED_GAUSSIAN

    def __init__(self, space: gymnasium.Space[Any], spread: Spread) -> None:
        """Raises UserError where the space has no bounds, or the standard deviations are contradictory."""
        super().__init__(space, spread)
        if not self.space.is_bounded():
            raise UserError(
                "policy.head=squashed_gaussian: chooses between bounds, and the environment's actions have none; use "
                "policy.head=gaussian"
            )

    def squash(self, actions: Tensor) -> Tensor:
        """tanh u, differentiable; what the environment gets, before it is scaled to the bounds."""
        return actions.tanh()

    def within_bounds(self, actions: Tensor) -> Tensor:
        """As `for_environment`, for tensors [..., A], differentiable."""
        low, high = torch.from_numpy(self.bounds).to(actions)
        return super().within_bounds(low + 0.5 * (self.squash(actions) + 1) * (high - low))

    def for_environment(self, actions: np.ndarray) -> np.ndarray:
        low, high = self.space.low.ravel(), self.space.high.ravel()
        scaled = low + 0.5 * (np.tanh(actions) + 1) * (high - low)
        return self._shaped(np.clip(scaled, low, high))  # rounding may pass a bound

    def at(self, outputs: Tensor) -> SquashedGaussianDistribution:
        return SquashedGaussianDistribution(outputs, self.log_std)
