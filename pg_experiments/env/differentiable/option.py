"""What the options with a differentiable system have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
from annotated_types import Ge

from pg_experiments.env.differentiable.single import SingleDifferentiable
from pg_experiments.env.differentiable.system import System
from pg_experiments.env.differentiable.vector import DifferentiableVectorEnv
from pg_experiments.env.limits import require_limit
from pg_experiments.support.errors import UserError


@dataclass(frozen=True)
class DifferentiableEnv:
    """Base class: a system, the threshold at which it counts as solved, and the limits of training.

    Subclasses define `label`, the name of the option, and `system`.
    """

    label: ClassVar[str] = ""
    threshold: float | None
    window: Annotated[int, Ge(1)]
    max_episodes: Annotated[int, Ge(1)] | None
    max_steps: Annotated[int, Ge(1)] | None

    @property
    def system(self) -> System:
        """The system."""
        raise TypeError(f"{type(self).__name__} has no system")

    @property
    def solved_at(self) -> float:
        """The mean return at which it counts as solved; infinity for no threshold."""
        return math.inf if self.threshold is None else self.threshold

    @property
    def emulators(self) -> None:
        """None: environments are reset for each batch."""

    @property
    def has_points(self) -> bool:
        """False: a return ends with its episode."""
        return False

    def validate(self, config: Any) -> None:
        """Raises UserError where the run has no limit."""
        require_limit(self.max_episodes, self.max_steps)

    def make(self, seeds: Sequence[int], episodes: int, *, alone: bool = True) -> DifferentiableVectorEnv:
        """Makes `episodes` systems per learner."""
        return DifferentiableVectorEnv(self.system, len(seeds) * episodes)

    def spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """The observation space and the action space."""
        return self.system.observation_space, self.system.action_space

    def sized(self, environments: int) -> DifferentiableEnv:
        """This option, as the number of environments is the number of episodes in a batch."""
        return self

    def single(self, render_mode: str | None = None) -> SingleDifferentiable:
        """Makes one environment. Raises UserError for a render mode."""
        if render_mode is not None:
            raise UserError(f"env={self.label}: has no pictures, and cannot be rendered; evaluate it without a video")
        return SingleDifferentiable(self.system)
