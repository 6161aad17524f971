"""The group `env`: what is acted in, when it is solved, and how long one may try."""

from typing import cast

from gymnasium.spaces import Discrete
from gymnasium.vector import VectorEnv

from pg_experiments.env.arcade import Arcade
from pg_experiments.env.atari import AtariEnv
from pg_experiments.env.gymnasium import GymnasiumEnv

__all__ = ["OPTIONS", "Arcade", "AtariEnv", "GymnasiumEnv", "sizes"]

OPTIONS: dict[str, type] = {"gymnasium": GymnasiumEnv, "atari": AtariEnv}
"""Any Gymnasium environment with a flat Box observation and Discrete actions; any of ale-py's games."""


def sizes(env: VectorEnv | Arcade) -> tuple[int, int]:
    """D, the numbers in an observation, and how many actions there are."""
    if isinstance(env, Arcade):
        height, width = env.image_shape
        return height * width, len(env.actions)
    (observation_size,) = env.single_observation_space.shape or ()
    return observation_size, int(cast("Discrete", env.single_action_space).n)
