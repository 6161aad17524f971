"""SAC: soft actor-critic, which learns from a buffer of all of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import gymnasium
import torch
from annotated_types import Ge, Gt, Le

from pg_experiments.algorithm.agent import Choices
from pg_experiments.algorithm.sac_agent import SACAgent
from pg_experiments.baseline.base import NoBaselineOption
from pg_experiments.optimizer import LearningRate
from pg_experiments.returns.bootstrapped import TD
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.fused import Activation
from pg_experiments.tensors.learners import Learners

CHUNK = 64  # most steps whose actions are drawn together


@dataclass(frozen=True)
class SAC:
    """Soft actor-critic (Haarnoja et al. 2018, arXiv 1812.05905); for discrete actions as in Christodoulou (2019)."""

    has_own_critics: ClassVar[bool] = True
    discount: Annotated[float, Ge(0), Le(1)]
    buffer_size: Annotated[int, Ge(1)]
    learning_starts: Annotated[int, Ge(0)]
    hold: Annotated[int, Ge(1)]
    gradient_steps: Annotated[int, Ge(1)]
    batch_size: Annotated[int, Ge(1)]
    tau: Annotated[float, Gt(0), Le(1)]
    target_update_interval: Annotated[int, Ge(1)]
    alpha: Annotated[float, Gt(0)] | Literal["auto"]
    target_entropy: float | Literal["auto"]
    critic_hidden: Annotated[int, Ge(1)]
    critic_layers: Annotated[int, Ge(1)]
    critic_activation: Activation
    critic_learning_rate: LearningRate | None

    @property
    def learns_alpha(self) -> bool:
        """Whether the temperature is learned."""
        return self.alpha == "auto"

    @property
    def first_alpha(self) -> float:
        """The temperature at first: that of the config, or 1, from which it is learned."""
        return 1.0 if self.alpha == "auto" else self.alpha

    def validate(self, config: Any) -> None:
        """Raises UserError where another option does not fit."""
        _refuse_other_groups(config)
        steps = config.collect.steps_per_batch
        if self.buffer_size < steps:
            raise UserError(
                f"algorithm.buffer_size={self.buffer_size}: holds fewer steps than one batch (collect.num_envs × "
                f"collect.num_steps); the nearest is {steps}"
            )
        longest = min(CHUNK, getattr(config.collect, "num_steps", CHUNK))
        if self.hold > longest:
            raise UserError(
                f"algorithm.hold={self.hold}: an action is held within a batch, for at most collect.num_steps and "
                f"{CHUNK} steps; the nearest is {longest}"
            )
        if dropout := getattr(config.policy, "dropout", 0.0):
            raise UserError(
                f"policy.dropout={dropout}: algorithm=sac learns from steps of earlier policies, whose dropout masks "
                "are not kept; the nearest is 0"
            )

    def least_bytes(self, observation: int, max_steps: int | None) -> int:
        """Lower bound of the memory of a learner's transitions, and of its critics with their target networks.

        Args:
            observation: numbers of an observation.
            max_steps: limit of steps; None for no limit.
        """
        rows = self.buffer_size if max_steps is None else min(self.buffer_size, max_steps)
        units = self.critic_hidden * (observation + (self.critic_layers - 1) * self.critic_hidden + 1)
        activations = 2 * self.batch_size * self.critic_hidden * self.critic_layers
        return 4 * (rows * (2 * observation + 3) + 2 * 2 * units + activations)

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> SACAgent:
        """As `AlgorithmOption.build`."""
        return SACAgent(self, choices, observations, actions, learners, device)


def _refuse_other_groups(config: Any) -> None:
    """Raises UserError where what a batch is, its returns, baseline or normalisation do not fit."""
    if config.env.emulators is not None:
        raise UserError(
            f"algorithm=sac: keeps observations as they are, which images of {config.env.label} are too large for; the "
            "nearest is algorithm=ppo"
        )
    if config.collect.steps_per_batch is None:
        raise UserError("algorithm=sac: learns within episodes; the nearest is collect=steps")
    if not isinstance(config.returns, TD):
        raise UserError(
            "algorithm=sac: its targets are one reward and the soft value of the next state; the nearest is returns=td"
        )
    if not isinstance(config.baseline, NoBaselineOption):
        raise UserError(
            "algorithm=sac: has critics Q(s, a) of its own (algorithm.critic_hidden, …); the nearest is baseline=none"
        )
    for key in ("observations", "rewards", "returns", "advantages"):
        if (value := getattr(config.normalization, key)) != "none":
            raise UserError(f"normalization.{key}={value}: is not for algorithm=sac; the nearest is none")
