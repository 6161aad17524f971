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
