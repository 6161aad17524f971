"""A single Atari game as a Gymnasium environment, with the observations and actions of the policy.

`AtariVectorEnv` steps many games at once and returns grey screens only; this environment can be rendered. For all
settings, both give identical observations and rewards, except for random numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import gymnasium
import numpy as np
from ale_py.env import AtariEnv as Emulator
from gymnasium.spaces import Box, Discrete

if TYPE_CHECKING:
    from pg_experiments.env.atari import AtariEnv

FRAMES_PER_SECOND = 60  # of the console
NOOP = 0  # the emulator's index of doing nothing
Step = tuple[np.ndarray, float, bool, bool, dict[str, Any]]


class View(Protocol):
    """Observations of one game, from its screens one after the other."""

    space: Box

    def observe(self, screen: np.ndarray, *, fresh: bool) -> np.ndarray:
        """The observation after the next screen [210, 160] uint8, which is the first of an episode if `fresh`."""


class SingleAtari(gymnasium.Env[np.ndarray, Any]):
    """One game."""

    def __init__(self, settings: AtariEnv, view: View, actions: list[int], render_mode: str | None) -> None:
        """Make the emulator.

        Args:
            settings: the run's settings of the game.
            view: makes the observations.
            actions: [A] the emulator's index of each action.
            render_mode: None, `rgb_array` (the screen in colour, uint8 [210, 160, 3]) or `human`.
        """
        self.settings = settings
        self.view = view
        self.actions = actions
        self.render_mode = render_mode
        # frameskip=1: max-pooling, frame skip and the limit of frames are implemented in this class
        self.emulator = Emulator(
            settings.game,
            obs_type="grayscale",
            frameskip=1,
            repeat_action_probability=settings.repeat_action_probability,
            full_action_space=False,
            render_mode=render_mode,  # type: ignore[arg-type]  # validated by the emulator
        )
        self.names = [action.name for action in self.emulator.ale.getMinimalActionSet()]
        self.metadata = {**Emulator.metadata, "render_fps": max(1, round(FRAMES_PER_SECOND / settings.frame_skip))}
        self.observation_space = view.space
        self.action_space = Discrete(len(actions))
        self.frames = 0  # of the episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode: press the fire button if configured, then do nothing for a random number of frames."""
        super().reset(seed=seed)
        screen, info = self.emulator.reset(seed=seed)
        fires = self.settings.fire_on_reset and "FIRE" in self.names
        if fires:
            screen, _, _, _, info = self.emulator.step(self.names.index("FIRE"))
        idle = int(self.np_random.integers(self.settings.noop_max)) if self.settings.noop_max else 0
        for _ in range(idle - fires):  # the button counts as one of them, as in AtariVectorEnv
            screen, _, over, _, info = self.emulator.step(NOOP)
            if over:
                screen, info = self.emulator.reset()
        self.frames = 0
        return self.view.observe(screen, fresh=True), dict(info)

    def step(self, action: int) -> Step:
        """Repeat an action for `frame_skip` frames. The reward is the sum over frames."""
        settings, lives = self.settings, self.emulator.ale.lives()
        screens, rewards = [], 0.0
        for _ in range(settings.frame_skip):
            screen, reward, terminated, _, info = self.emulator.step(self.actions[action])
            screens.append(screen)
            rewards += reward
            self.frames += 1
            terminated |= settings.life_ends_episode and 0 < info["lives"] < lives
            truncated = not terminated and self.frames >= settings.max_frames
            if terminated or truncated:
                break
        shown = np.maximum.reduce(screens[-2:]) if settings.max_pool else screens[-1]
        if settings.reward_clipping:
            rewards = max(-1.0, min(1.0, rewards))
        return self.view.observe(shown, fresh=False), rewards, terminated, truncated, dict(info)

    def render(self) -> Any:
        """The current screen in colour; with `human` the emulator shows it."""
        return self.emulator.render()
