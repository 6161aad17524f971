"""The group `env`: the environment, the threshold at which it counts as solved, and the limits of training."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gymnasium import Env, Space

from pg_experiments.env import differentiable
from pg_experiments.env.arcade import Arcade
from pg_experiments.env.atari import AtariEnv
from pg_experiments.env.differentiable import DifferentiableEnv, DifferentiableVectorEnv
from pg_experiments.env.gymnasium import GymnasiumEnv
from pg_experiments.env.registered import register

__all__ = [
    "OPTIONS",
    "Arcade",
    "AtariEnv",
    "DifferentiableEnv",
    "DifferentiableVectorEnv",
    "EnvOption",
    "Environments",
    "GymnasiumEnv",
]


class Environments(Protocol):
    """The environments of all learners of a run."""

    @property
    def single_observation_space(self) -> Space[Any]:
        """Observation space of one environment."""

    @property
    def single_action_space(self) -> Space[Any]:
        """Action space of one environment."""

    @property
    def action_names(self) -> list[str] | None:
        """Names of the actions; None where they have none."""

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Height and width of observations that are images; else None."""

    @property
    def facts(self) -> dict[str, str]:
        """Additional lines for the run's header, by name."""

    def resume_note(self, state: Mapping[str, Any]) -> str:
        """A note for the user before a collector's state is restored, on its duration or exactness; may be empty."""


class EnvOption(Protocol):
    """An option of the group `env`.

    Attributes:
        window: number of episodes in the mean return.
        max_episodes: limit of episodes per learner.
        max_steps: limit of agent steps per learner; the batch that passes it is completed.
    """

    @property
    def window(self) -> int: ...

    @property
    def max_episodes(self) -> int | None: ...

    @property
    def max_steps(self) -> int | None: ...

    @property
    def solved_at(self) -> float:
        """The mean return at which the environment counts as solved; infinity for no threshold."""

    @property
    def label(self) -> str:
        """The environment's name in messages."""

    @property
    def emulators(self) -> int | None:
        """Number of environments per learner where episodes continue across batches; None where batches are reset."""

    @property
    def has_points(self) -> bool:
        """Whether returns end with points within an episode."""

    def make(self, seeds: Sequence[int], episodes: int, *, alone: bool) -> Any:
        """Makes the environments of all learners.

        Args:
            seeds: [R] seeds of the learners.
            episodes: number of episodes in a learner's batch; the number of its environments if batches are reset.
            alone: whether each environment must be steppable independently of the others.

        Raises:
            UserError: the environments cannot be made here.
        """

    def spaces(self) -> tuple[Space[Any], Space[Any]]:
        """The observation space and the action space. Raises as `make` does."""

    def sized(self, environments: int) -> "EnvOption":
        """A copy of this option with that many environments per learner."""

    def single(self, render_mode: str | None = None) -> Env[Any, Any]:
        """Makes one environment. Raises as `make` does."""


register()

OPTIONS: dict[str, type] = {"gymnasium": GymnasiumEnv, "atari": AtariEnv, **differentiable.OPTIONS}
