"""Any Gymnasium environment with a flat Box observation and Discrete actions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium
from annotated_types import Ge
from gymnasium.spaces import Box, Discrete

from pg_experiments.env.atari import game_of_gymnasium_id
from pg_experiments.env.limits import require_limit
from pg_experiments.env.vector import StandingCartPole, StandingSyncVectorEnv
from pg_experiments.support.errors import UserError, nearest

NATIVE_CARTPOLE = "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv"


@dataclass(frozen=True)
class GymnasiumEnv:
    """An environment by its id, when it counts as solved, and how long one may train on it."""

    id: str
    threshold: float | None
    window: Annotated[int, Ge(1)]
    max_episodes: Annotated[int, Ge(1)] | None
    max_steps: Annotated[int, Ge(1)] | None
    max_episode_steps: Annotated[int, Ge(1)] | None

    @property
    def solved_at(self) -> float:
        """The mean return that counts as solved: `threshold`, else what Gymnasium registers, else infinity."""
        if self.threshold is not None:
            return self.threshold
        registered = self._spec().reward_threshold
        return math.inf if registered is None else float(registered)

    @property
    def label(self) -> str:
        """Its id."""
        return self.id

    @property
    def source(self) -> str:
        """The module that the environment comes from."""
        entry_point = self._spec().entry_point
        return entry_point.partition(":")[0] if isinstance(entry_point, str) else str(entry_point.__module__)

    @property
    def emulators(self) -> None:
        """Each batch starts with fresh episodes."""

    @property
    def has_points(self) -> bool:
        """A return ends with the episode."""
        return False

    def validate(self, config: Any) -> None:
        """Raises UserError where a run would have no limit."""
        require_limit(self.max_episodes, self.max_steps)

    def make(
        self, seeds: Sequence[int], episodes: int, *, alone: bool = True
    ) -> StandingCartPole | StandingSyncVectorEnv:
        """`episodes` copies for each seed; finished ones stand still.

        Raises:
            UserError: there is no such id, it cannot be made, or its spaces are not supported.
        """
        num_envs = len(seeds) * episodes
        spec = self._spec()
        if spec.vector_entry_point == NATIVE_CARTPOLE:
            return StandingCartPole(num_envs, max_episode_steps=self._limit(spec))
        first = self.single()

        def others() -> gymnasium.Env:
            return gymnasium.make(spec, max_episode_steps=self._limit(spec))

        return StandingSyncVectorEnv([lambda: first] + [others] * (num_envs - 1))

    def spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """Of observations and actions. Raises as `make` does."""
        env = self.single()
        env.close()
        return env.observation_space, env.action_space

    def sized(self, environments: int) -> GymnasiumEnv:
        """Itself: there are as many environments as a batch has episodes."""
        return self

    def single(self, render_mode: str | None = None) -> gymnasium.Env:
        """One environment by itself, as Gymnasium makes it, with the run's time limit. Raises as `make` does."""
        spec = self._spec()
        # which not every environment takes
        rendered: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
        try:
            env = gymnasium.make(spec, max_episode_steps=self.max_episode_steps, **rendered)
        except (gymnasium.error.Error, ImportError) as error:
            raise UserError(f"env.id={self.id}: Gymnasium cannot make it: {_first_line(error)}") from error
        self._check_spaces(env)
        self._limit(spec)  # after the spaces: a time limit mends nothing where these are not supported
        return env

    def _limit(self, spec: gymnasium.envs.registration.EnvSpec) -> int:
        """Steps after which an episode is truncated."""
        limit = self.max_episode_steps or spec.max_episode_steps
        if limit is None:
            raise UserError(
                f"env.max_episode_steps=null: {self.id} has no time limit of its own and an episode might never "
                "end; give a number of steps"
            )
        return limit

    def _spec(self) -> gymnasium.envs.registration.EnvSpec:
        # Gymnasium would import the module in `module:id`, and a config must not be able to execute anything
        spec = gymnasium.registry.get(self.id)
        # of ids that Gymnasium lists, only ale-py's are Atari games: Blackjack-v1 is not, though a game has its name
        if (spec is None or _is_of_ale(spec)) and (game := game_of_gymnasium_id(self.id)):
            raise UserError(f"env.id={self.id}: Atari games are seen as images; use env=atari env.game={game}")
        if spec is not None:
            return spec
        near = nearest(self.id, gymnasium.registry)
        hint = f"the nearest is {near}" if near else "`gymnasium.pprint_registry()` lists them"
        raise UserError(f"env.id={self.id}: Gymnasium has no environment of this id; {hint}")

    def _check_spaces(self, env: gymnasium.Env) -> None:
        observations, actions = env.observation_space, env.action_space
        supported = "supported are flat Box observations (one axis) and Discrete actions"
        if not isinstance(observations, Box) or len(observations.shape) != 1:
            raise UserError(f"env.id={self.id}: its observations are {_describe(observations)}; {supported}")
        if not isinstance(actions, Discrete):
            raise UserError(f"env.id={self.id}: its actions are {_describe(actions)}; {supported}")


def _is_of_ale(spec: gymnasium.envs.registration.EnvSpec) -> bool:
    return isinstance(spec.entry_point, str) and spec.entry_point.startswith("ale_py")


def _describe(space: gymnasium.Space[Any]) -> str:
    if isinstance(space, Box):
        kind = "an image of shape" if len(space.shape) > 1 else "continuous, of shape"
        return f"{kind} {space.shape}"
    return type(space).__name__


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
