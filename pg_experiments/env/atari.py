"""Atari games with explicit settings for the emulator, the observations and the actions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import ale_py
from ale_py import roms
from ale_py.vector_env import AtariVectorEnv
from annotated_types import Ge, Le
from gymnasium.spaces import Box, Discrete

from pg_experiments.env.arcade import AUTORESET, HEIGHT, WIDTH, Arcade
from pg_experiments.env.grey import GreyScreens
from pg_experiments.env.limits import require_limit
from pg_experiments.env.screens import Crop, SingleObserver
from pg_experiments.env.single import SingleAtari
from pg_experiments.env.vector import StandingSyncVectorEnv
from pg_experiments.support.errors import UserError, by_nearness
from pg_experiments.tensors.streams import emulator_seeds

GYMNASIUM_ID = re.compile(r"(?:ALE/)?(?P<game>[A-Z]\w*?)(?:-ram)?(?:NoFrameskip|Deterministic)?-v\d+")


@dataclass(frozen=True)
class AtariEnv:
    """A game of ale-py."""

    game: str
    actions: dict[str, str] | None
    num_envs: Annotated[int, Ge(1)]
    return_ends: Literal["point", "episode"]
    frame_skip: Annotated[int, Ge(1)]
    repeat_action_probability: Annotated[float, Ge(0), Le(1)]
    max_pool: bool
    reward_clipping: bool
    fire_on_reset: bool
    noop_max: Annotated[int, Ge(0)]
    life_ends_episode: bool
    max_frames: Annotated[int, Ge(1)]
    top: Annotated[int, Ge(0), Le(HEIGHT - 1)]
    bottom: Annotated[int, Ge(1), Le(HEIGHT)]
    stride: Literal[1, 2, 4, 8]
    background: list[Annotated[int, Ge(0), Le(255)]]
    observation: Literal["differences", "frames", "screens"]
    threshold: float | None
    window: Annotated[int, Ge(1)]
    max_episodes: Annotated[int, Ge(1)] | None
    max_steps: Annotated[int, Ge(1)] | None

    @property
    def solved_at(self) -> float:
        """The mean return at which the game counts as solved: `threshold`, else infinity."""
        return math.inf if self.threshold is None else self.threshold

    @property
    def label(self) -> str:
        """The name of the game."""
        return self.game

    @property
    def emulators(self) -> int | None:
        """Number of environments per learner, which continue from batch to batch; None for grey screens."""
        return None if self.observation == "screens" else self.num_envs

    @property
    def has_points(self) -> bool:
        """Whether each point ends a return."""
        return self.return_ends == "point"

    def validate(self, config: Any) -> None:
        """Raises UserError where the run has no limit, or returns would end with points of grey screens."""
        require_limit(self.max_episodes, self.max_steps)
        if self.observation == "screens" and self.has_points:
            raise UserError(
                "env.return_ends=point: with env.observation=screens a return ends with its episode; the nearest is "
                "episode"
            )

    def without_effect(self, config: Any) -> dict[str, str]:
        """The keys that are not used, and because of what."""
        sized = {"num_envs": "collect=steps, which has collect.num_envs"} if config.collect.steps_per_batch else {}
        if self.observation != "screens":
            return sized
        of_foreground = ("top", "bottom", "stride", "background", "num_envs")
        return dict.fromkeys(of_foreground, "env.observation=screens") | sized

    def make(self, seeds: Sequence[int], episodes: int, *, alone: bool) -> Arcade | StandingSyncVectorEnv:
        """Makes `num_envs` environments per learner, already in their first episodes; for grey screens, `episodes`.

        Args:
            seeds: [R] seeds of the learners.
            episodes: episodes in a batch of a learner, each in an environment of its own.
            alone: whether each environment can be paused alone, or all of a learner's in a half together.

        Raises:
            UserError: the game, its ROM or one of the actions does not exist.
        """
        self._check_game()
        names, indices = self._chosen_actions()
        if self.observation == "screens":
            environments = StandingSyncVectorEnv([self.single] * (len(seeds) * episodes))
            environments.action_names = names
            return environments
        return Arcade(
            self.make_emulators,
            [emulator_seeds(seed, self.num_envs) for seed in seeds],
            alone=alone,
            crop=self._crop(),
            actions=indices,
            names=names,
            emulator_names=[(self.actions or {}).get(name) for name in names],
        )

    def spaces(self) -> tuple[Box, Discrete]:
        """The observation space and the action space. Raises as `make` does."""
        self._check_game()
        return self._view().space, Discrete(len(self._chosen_actions()[1]))

    def sized(self, environments: int) -> AtariEnv:
        """A copy of this option with that many environments per learner."""
        return replace(self, num_envs=environments)

    def single(self, render_mode: str | None = None) -> SingleAtari:
        """Makes one environment with Gymnasium's API. Raises as `make` does."""
        self._check_game()
        _, indices = self._chosen_actions()
        return SingleAtari(self, self._view(), indices, render_mode)

    def make_emulators(self, count: int, threads: int) -> AtariVectorEnv:
        """Makes ale-py's vector environment, with every setting passed explicitly."""
        return AtariVectorEnv(
            self.game,
            count,
            num_threads=threads,
            autoreset_mode=AUTORESET,
            frameskip=self.frame_skip,
            repeat_action_probability=self.repeat_action_probability,
            maxpool=self.max_pool,
            reward_clipping=self.reward_clipping,
            use_fire_reset=self.fire_on_reset,
            noop_max=self.noop_max,
            episodic_life=self.life_ends_episode,
            max_num_frames_per_episode=self.max_frames,
            full_action_space=False,
            img_height=HEIGHT,
            img_width=WIDTH,
            grayscale=True,
            stack_num=1,
        )

    def _view(self) -> GreyScreens | SingleObserver:
        """Makes the observations of one game."""
        return GreyScreens(HEIGHT, WIDTH) if self.observation == "screens" else SingleObserver(WIDTH, self._crop())

    def _crop(self) -> Crop:
        assert self.observation != "screens", "grey screens are whole"
        if self.top >= self.bottom:
            raise UserError(
                f"env.bottom={self.bottom}: expected more than env.top={self.top}; the nearest is {self.top + 1}"
            )
        return Crop(self.top, self.bottom, self.stride, tuple(self.background), self.observation)

    def _check_game(self) -> None:
        known = roms.get_all_rom_ids()
        if self.game not in known:
            if game := game_of_gymnasium_id(self.game):
                raise UserError(
                    f"env.game={self.game}: an id of Gymnasium's, which has a frame skip of its own beside "
                    f"env.frame_skip={self.frame_skip}, and it must not be set twice; use env.game={game}"
                )
            near = ", ".join(by_nearness(self.game.lower(), known)[:3])
            raise UserError(f"env.game={self.game}: ale-py has no game of this name; the nearest are {near}")
        try:
            roms.get_rom_path(self.game)
        except OSError as error:
            detail = str(error).splitlines()[0]
            raise UserError(
                f"env.game={self.game}: its ROM cannot be read ({detail}); reinstall ale-py, or correct ALE_ROMS_DIR"
            ) from None

    def _chosen_actions(self) -> tuple[list[str], list[int]]:
        """The names of the policy's actions, and their indices in the emulator's minimal action set."""
        minimal = minimal_actions(self.game)
        if self.actions is None:
            return minimal, list(range(len(minimal)))
        if len(self.actions) < 2:
            given = ",".join(f"{name}:{emulators_name}" for name, emulators_name in self.actions.items())
            raise UserError(f"env.actions={{{given}}}: expected two actions or more; null: the game's own")
        for name, emulators_name in self.actions.items():
            if emulators_name not in minimal:
                near = by_nearness(emulators_name.upper(), minimal)
                raise UserError(
                    f"env.actions.{name}={emulators_name}: {self.game} has no such action; it has {', '.join(near)}"
                )
        return list(self.actions), [minimal.index(emulators_name) for emulators_name in self.actions.values()]


def minimal_actions(game: str) -> list[str]:
    """The emulator's names of a game's minimal action set, by index."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    path = roms.get_rom_path(game)
    assert path is not None, "the caller has checked that the game exists"
    ale.loadROM(path)
    return [action.name for action in ale.getMinimalActionSet()]


def game_of_gymnasium_id(id: str) -> str | None:
    """`ALE/MsPacman-v5` or `MsPacmanNoFrameskip-v4` -> `ms_pacman`; None for ids of other environments."""
    match = GYMNASIUM_ID.fullmatch(id)
    if match is None:
        return None
    game = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", match["game"]).lower()
    return game if game in roms.get_all_rom_ids() else None
