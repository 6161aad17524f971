"""Environments of Gymnasium."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium
from annotated_types import Ge
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from pg_experiments.env.atari import game_of_gymnasium_id
from pg_experiments.env.compiled import MASKED_CARTPOLE_ENTRY_POINT, compiled_form
from pg_experiments.env.limits import require_limit
from pg_experiments.env.mujoco import handle_warnings
from pg_experiments.env.names import is_of_ale, missing_extra
from pg_experiments.env.observations import with_arrays
from pg_experiments.env.vector import StandingCartPole, StandingMaskedCartPole, StandingSyncVectorEnv
from pg_experiments.support.errors import UserError, nearest

NATIVE_CARTPOLE = "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv"


@dataclass(frozen=True)
class GymnasiumEnv:
    """A Gymnasium environment by id, with the threshold at which it counts as solved and the limits of training."""

    id: str
    threshold: float | None
    window: Annotated[int, Ge(1)]
    max_episodes: Annotated[int, Ge(1)] | None
    max_steps: Annotated[int, Ge(1)] | None
    max_episode_steps: Annotated[int, Ge(1)] | None
    observation_keys: list[str] | None = None

    @property
    def solved_at(self) -> float:
        """The mean return at which it counts as solved: `threshold`, else Gymnasium's registered one, else infinity."""
        if self.threshold is not None:
            return self.threshold
        registered = self._spec().reward_threshold
        return math.inf if registered is None else float(registered)

    @property
    def label(self) -> str:
        """The environment's id."""
        return self.id

    @property
    def source(self) -> str:
        """The module that defines the environment."""
        entry_point = self._spec().entry_point
        return entry_point.partition(":")[0] if isinstance(entry_point, str) else str(entry_point.__module__)

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

    def make(
        self, seeds: Sequence[int], episodes: int, *, alone: bool = True
    ) -> StandingCartPole | StandingSyncVectorEnv:
        """Makes `episodes` copies per learner. A finished environment is not stepped until it is reset.

        Raises:
            UserError: the id does not exist, the environment cannot be made, or its spaces are not supported.
        """
        spec = self._spec()
        environments = self._vector(spec, len(seeds) * episodes)
        environments.compiled_form = compiled_form(spec, self._limit(spec))
        return environments

    def _vector(
        self, spec: gymnasium.envs.registration.EnvSpec, num_envs: int
    ) -> StandingCartPole | StandingSyncVectorEnv:
        if spec.vector_entry_point == NATIVE_CARTPOLE:
            return StandingCartPole(num_envs, max_episode_steps=self._limit(spec))
        if spec.entry_point == MASKED_CARTPOLE_ENTRY_POINT:
            return StandingMaskedCartPole(num_envs, max_episode_steps=self._limit(spec))
        first = self.single()

        def others() -> gymnasium.Env:
            return with_arrays(
                gymnasium.make(spec, max_episode_steps=self._limit(spec)), self.observation_keys, self.id
            )

        return StandingSyncVectorEnv([lambda: first] + [others] * (num_envs - 1))

    def spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """The observation space and the action space. Raises as `make` does."""
        env = self.single()
        env.close()
        return env.observation_space, env.action_space

    def sized(self, environments: int) -> GymnasiumEnv:
        """This option, as the number of environments is the number of episodes in a batch."""
        return self

    def single(self, render_mode: str | None = None) -> gymnasium.Env:
        """Makes one environment with `gymnasium.make` and the run's time limit, and arrays as observations.

        Raises as `make` does.
        """
        spec = self._spec()
        handle_warnings(spec)
        # passed only where it is set, as not every environment accepts it
        rendered: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
        try:
            env = gymnasium.make(spec, max_episode_steps=self.max_episode_steps, **rendered)
        except (gymnasium.error.Error, ImportError) as error:
            if command := missing_extra(self.id):
                raise UserError(f"env.id={self.id}: needs a library that is not installed: {command}") from error
            raise UserError(f"env.id={self.id}: Gymnasium cannot make it: {_first_line(error)}") from error
        env = with_arrays(env, self.observation_keys, self.id)
        self._check_actions(env.action_space)
        self._limit(spec)  # checked last: a time limit does not help where the spaces are not supported
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
        # not `gymnasium.spec`, which imports the module in `module:id`: a config must not execute code
        spec = gymnasium.registry.get(self.id)
        # a registered id is an Atari game only if it is ale-py's: Blackjack-v1 is not, though a game has this name
        if (spec is None or is_of_ale(spec)) and (game := game_of_gymnasium_id(self.id)):
            raise UserError(f"env.id={self.id}: Atari games are seen as images; use env=atari env.game={game}")
        if spec is not None:
            return spec
        near = nearest(self.id, gymnasium.registry)
        hint = f"the nearest is {near}" if near else "`gymnasium.pprint_registry()` lists them"
        raise UserError(f"env.id={self.id}: Gymnasium has no environment of this id; {hint}")

    def _check_actions(self, actions: gymnasium.Space[Any]) -> None:
        if not isinstance(actions, Box | Discrete | MultiDiscrete | MultiBinary):
            raise UserError(
                f"env.id={self.id}: its actions are {type(actions).__name__}; supported are Box, Discrete, "
                "MultiDiscrete and MultiBinary"
            )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
