"""Checks of what a collector is combined with."""

from __future__ import annotations

from typing import Any

from pg_experiments.env import DifferentiableEnv, EnvOption, differentiable
from pg_experiments.support.errors import UserError, by_nearness


def refuse_idle_environments(env: EnvOption, unit: str, quota: int) -> None:
    """Raises UserError where a learner has more environments than a batch has episodes or points."""
    if env.emulators is not None and env.emulators > quota:
        raise UserError(
            f"env.num_envs={env.emulators}: a batch has only collect.{unit}={quota} {unit}; the nearest is {quota}"
        )


def refuse_without_graph(config: Any) -> None:
    """Raises UserError where an algorithm differentiates the environment, and it cannot be differentiated."""
    if getattr(config.algorithm, "differentiates_environment", False) and not isinstance(config.env, DifferentiableEnv):
        name, label = type(config.algorithm).__name__.lower(), config.env.label
        near = by_nearness(label.lower().partition("-v")[0], differentiable.OPTIONS)
        raise UserError(
            f"algorithm={name}: backpropagates through the environment, and {label} is not differentiable; expected "
            f"env={near[0]}, or one of {', '.join(near[1:])}"
        )
