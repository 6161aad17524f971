"""Limits of the length of a run."""

from __future__ import annotations

from pg_experiments.support.errors import UserError


def require_limit(max_episodes: int | None, max_steps: int | None) -> None:
    """Raises UserError where both limits are None."""
    if max_episodes is None and max_steps is None:
        raise UserError("env.max_episodes=null and env.max_steps=null: a run needs at least one limit")
