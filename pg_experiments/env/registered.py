"""The project's own environments, which an import of `pg_experiments.env` registers with Gymnasium."""

from __future__ import annotations

import gymnasium

from pg_experiments.env.compiled import MASKED_CARTPOLE_ENTRY_POINT, SHORT_CORRIDOR_ENTRY_POINT

NAMESPACE = "pg"


def register() -> None:
    """Registers the environments."""
    gymnasium.register(f"{NAMESPACE}/ShortCorridor-v0", SHORT_CORRIDOR_ENTRY_POINT, max_episode_steps=1000)
    gymnasium.register(
        f"{NAMESPACE}/CartPoleMasked-v1", MASKED_CARTPOLE_ENTRY_POINT, max_episode_steps=500, reward_threshold=475.0
    )
