"""The group `env`: what is acted in, when it counts as solved, and how long a run may train on it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gymnasium import Env, Space

from pg_experiments.env.arcade import Arcade
from pg_experiments.env.atari import AtariEnv
from pg_experiments.env.gymnasium import GymnasiumEnv

__all__ = ["OPTIONS", "Arcade", "AtariEnv", "EnvOption", "Environments", "GymnasiumEnv"]


class Environments(Protocol):
    """The environments of a run: those of all learners together."""

    @property
    def single_observation_space(self) -> Space[Any]:
        """Of one environment."""

    @property
    def single_action_space(self) -> Space[Any]:
        """Of one environment."""

    @property
    def action_names(self) -> list[str] | None:
        """Of each action, where they have names."""

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Height and width of an observation that is an image; else None."""

    @property
    def facts(self) -> dict[str, str]:
        """Lines for the header that no setting says."""

    def resume_note(self, state: Mapping[str, Any]) -> str:
        """What a user is told before a collector's state is restored: how long it takes, or whether it is exact."""


class EnvOption(Protocol):
    """An option of the group `env`.

    Attributes:
        window: episodes that the mean return is taken over.
        max_episodes: of a learner.
        max_steps: of a learner; the batch that passes it is finished.
    """

    @property
    def window(self) -> int: ...

    @property
    def max_episodes(self) -> int | None: ...

    @property
    def max_steps(self) -> int | None: ...

    @property
    def solved_at(self) -> float:
        """The mean return that counts as solved; infinity for none."""

    @property
    def label(self) -> str:
        """Its name, for messages."""

    @property
    def emulators(self) -> int | None:
        """Environments of a learner whose episodes go on from batch to batch; None where each batch starts anew."""

    @property
    def has_points(self) -> bool:
        """Whether returns end with points, inside of an episode."""

    def make(self, seeds: Sequence[int], episodes: int, *, alone: bool) -> Any:
        """The environments of learners with these seeds.

        Args:
            seeds: [R] of the learners.
            episodes: of a batch of a learner; environments that start anew with each batch are that many.
            alone: whether an environment must be able to stand still while its neighbours are stepped.

        Raises:
            UserError: they cannot be made here.
        """

    def spaces(self) -> tuple[Space[Any], Space[Any]]:
        """Of observations and of actions. Raises as `make` does."""

    def sized(self, environments: int) -> "EnvOption":
        """The same with that many environments of a learner."""

    def single(self, render_mode: str | None = None) -> Env[Any, Any]:
        """One environment by itself. Raises as `make` does."""


OPTIONS: dict[str, type] = {"gymnasium": GymnasiumEnv, "atari": AtariEnv}
