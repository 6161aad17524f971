"""The group `algorithm`: how a policy learns from a batch of experience."""

from pg_experiments.algorithm.a2c import A2C
from pg_experiments.algorithm.a3c import A3C
from pg_experiments.algorithm.mixed import Mixed
from pg_experiments.algorithm.pathwise import Pathwise
from pg_experiments.algorithm.ppo import PPO
from pg_experiments.algorithm.reinforce import Reinforce
from pg_experiments.algorithm.sac import SAC

OPTIONS: dict[str, type] = {
    "reinforce": Reinforce,
    "a2c": A2C,
    "a3c": A3C,
    "ppo": PPO,
    "sac": SAC,
    "pathwise": Pathwise,
    "mixed": Mixed,
}


def with_episode_gradients() -> str:
    """The names of the algorithms that have a gradient of each episode, as in a message."""
    *others, last = (name for name, option in OPTIONS.items() if getattr(option, "has_episode_gradients", False))
    return f"{', '.join(others)} or {last}"
