"""Many Atari emulators, in two halves that take turns: while one half is looked at, the other is emulated.

ale-py's `AtariVectorEnv` emulates in C++ threads, and steps all of its members or none. So the unit that can stand
still is one `AtariVectorEnv`: all of a seed's environments of a half, or a single environment each. Its state cannot be
saved. But it follows from the seeds and the actions, so whoever writes all actions down can play them again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode

from pg_experiments.env.screens import Crop

HEIGHT, WIDTH = 210, 160  # pixels of a screen
AUTORESET = AutoresetMode.SAME_STEP  # the emulator's threads start the next episode; no step is spent on it


class Outcome(NamedTuple):
    """What followed a step, [R, E] each; where no step was made, nothing."""

    rewards: np.ndarray
    terminated: np.ndarray  # bool
    truncated: np.ndarray  # bool


@dataclass
class _Block:
    """Environments that step together. What they were told since they were made is their whole state."""

    seed: int
    envs: slice
    emulators: AtariVectorEnv
    log: bytearray = field(default_factory=bytearray)  # the actions of every step, one byte each
    moving: bool = False  # the outcome of the last step was not asked for yet

    @property
    def size(self) -> int:
        return int(self.envs.stop - self.envs.start)

    @property
    def told(self) -> np.ndarray:
        """[steps, size] uint8."""
        return np.frombuffer(bytes(self.log), dtype=np.uint8).reshape(-1, self.size)

    def send(self, actions: list[int]) -> None:
        # as lists and past the checks of `AtariVectorEnv.send`: 4 µs for 16 environments instead of 25
        self.emulators.ale.send(actions, [1.0] * len(actions))  # type: ignore[arg-type]
        self.log += bytes(actions)
        self.moving = True


class ArcadeHalf:
    """Environments [R, E] and their screens."""

    def __init__(self, make: Callable[[int], AtariVectorEnv], seeds: Sequence[Sequence[int]], alone: bool) -> None:
        """Make the emulators and start their first episodes.

        Args:
            make: how to make an `AtariVectorEnv` of that many members.
            seeds: [R][E], a seed for each emulator.
            alone: whether each environment can stand still by itself, or all of a seed's together.
        """
        R, E = len(seeds), len(seeds[0])
        size = 1 if alone else E
        self.shape = (R, E)
        self.screens = np.zeros((R, E, HEIGHT, WIDTH), dtype=np.uint8)  # grey levels
        self.final_screens = self.screens.copy()  # of episodes that have just ended
        self.blocks = [_Block(r, slice(e, e + size), make(size)) for r in range(R) for e in range(0, E, size)]
        for block in self.blocks:
            if block.emulators.autoreset_mode != AUTORESET:
                raise ValueError(f"the arcade needs {AUTORESET}, not {block.emulators.autoreset_mode}")
            screens, _ = block.emulators.reset(seed=np.array(seeds[block.seed][block.envs]))
            self._show(block, screens)

    def send(self, actions: np.ndarray, playing: np.ndarray) -> None:
        """Let the emulators go on with actions [R, E] where `playing` [R, E], whole blocks of it, says so."""
        for block in self._of(playing):
            block.send(actions[block.seed, block.envs].tolist())

    def receive(self, playing: np.ndarray) -> Outcome:
        """Wait for what was sent, [R, E]. Then `screens` shows what follows: an ended episode's successor."""
        if len(self.blocks) == 1:  # as usual; nothing has to be put together
            rewards, terminated, truncated, info = self.take(self.blocks[0])
            if "final_obs" in info:
                self.final_screens = info["final_obs"][None, :, 0]
            return Outcome(rewards[None], terminated[None], truncated[None])
        rewards = np.zeros(self.shape, dtype=np.float32)
        terminated, truncated = np.zeros((2, *self.shape), dtype=np.bool_)
        for block in self._of(playing):
            where = (block.seed, block.envs)
            rewards[where], terminated[where], truncated[where], info = self.take(block)
            if "final_obs" in info:
                self.final_screens[where] = info["final_obs"][:, 0]
        return Outcome(rewards, terminated, truncated)

    def take(self, block: _Block) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Wait for one block's outcome and show its screens."""
        block.moving = False
        screens, rewards, terminated, truncated, info = block.emulators.recv()
        self._show(block, screens)
        return rewards, terminated, truncated, info

    def _of(self, playing: np.ndarray) -> list[_Block]:
        return [block for block in self.blocks if playing[block.seed, block.envs.start]]

    def _show(self, block: _Block, frames: np.ndarray) -> None:
        if len(self.blocks) == 1:
            self.screens = frames[None, :, 0]  # nothing needs to be copied
        else:
            self.screens[block.seed, block.envs] = frames[:, 0]


class Arcade:
    """The environments of R seeds, E each, in (up to) two halves."""

    def __init__(
        self,
        make: Callable[[int, int], AtariVectorEnv],
        seeds: Sequence[Sequence[int]],
        *,
        alone: bool,
        crop: Crop,
        actions: Sequence[int],
        names: Sequence[str],
        emulator_names: Sequence[str | None],
    ) -> None:
        """As `ArcadeHalf`, where `make` also takes the number of threads.

        Args:
            make: how to make an `AtariVectorEnv` of that many members and threads.
            seeds: [R][E], a seed for each emulator.
            alone: whether each environment can stand still by itself, or all of a seed's half together.
            crop: what is looked at.
            actions: [A] the emulator's index of each action that a policy chooses from.
            names: [A] what they are called.
            emulator_names: [A] what the emulator calls them, where that is another name.
        """
        E = len(seeds[0])
        split = [0, -(-E // 2), E] if E > 1 else [0, 1]
        threads = 1 if alone else max(1, (os.cpu_count() or 1) // (len(seeds) * (len(split) - 1)))
        self.crop = crop
        self.actions = np.array(actions)
        self.action_names = list(names)
        self._emulator_names = list(emulator_names)
        self.single_observation_space = Box(-1, 1, self.image_shape, np.float32)
        self.single_action_space = Discrete(len(actions))
        self.shape = (len(seeds), E)
        self.spans = [slice(a, b) for a, b in pairwise(split)]  # which of E each half has
        self.halves = [
            ArcadeHalf(lambda size: make(size, threads), [of_one[span] for of_one in seeds], alone)
            for span in self.spans
        ]

    @property
    def image_shape(self) -> tuple[int, int]:
        """h and w of what is looked at."""
        return self.crop.shape(WIDTH)

    @property
    def facts(self) -> dict[str, str]:
        """What no setting says, for the header: the actions, as the game and the emulator call them."""
        called = [
            name if theirs is None else f"{name} (the emulator's {theirs})"
            for name, theirs in zip(self.action_names, self._emulator_names, strict=True)
        ]
        return {"actions": ", ".join(f"{index} {name}" for index, name in enumerate(called))}

    def resume_note(self, state: Mapping[str, Any]) -> str:
        """How much is played again: all of it, since an emulator's state cannot be saved."""
        steps = sum(actions.numel() for actions in state["told"])
        return f"; {steps:,} steps of its games are played again first"

    def told(self) -> list[np.ndarray]:
        """What every block was told since it was made, [steps, environments] uint8 each."""
        return [block.told for block in self._blocks]

    def moving(self) -> list[bool]:
        """Of every block, whether the outcome of its last step was not asked for yet."""
        return [block.moving for block in self._blocks]

    def in_motion(self) -> np.ndarray:
        """[R, E] bool: the same of every environment."""
        moving = np.zeros(self.shape, dtype=np.bool_)
        for half, span in zip(self.halves, self.spans, strict=True):
            for block in half.blocks:
                moving[block.seed, span][block.envs] = block.moving
        return moving

    def replay(self, told: Sequence[np.ndarray], moving: Sequence[bool]) -> None:
        """Play again, on emulators that were just made, what was `told` others like them.

        Raises:
            ValueError: these are not as many blocks, or not of that size, or an action is none of the policy's.
        """
        blocks = self._blocks
        if any(block.log for block in blocks) or len(told) != len(blocks) or len(moving) != len(blocks):
            raise ValueError(f"expected what {len(blocks)} new blocks were told, not {len(told)}")
        for block, actions in zip(blocks, told, strict=True):
            if actions.shape[1:] != (block.size,) or not np.isin(actions, self.actions).all():
                raise ValueError(f"expected actions {self.actions} of {block.size} environments")
        halves = [half for half in self.halves for _ in half.blocks]
        for step in range(max(map(len, told)) + 1):
            for half, block, actions, moves in zip(halves, blocks, told, moving, strict=True):
                if 0 < step <= len(actions) - moves:
                    half.take(block)
                if step < len(actions):
                    block.send(actions[step].tolist())

    @property
    def _blocks(self) -> list[_Block]:
        return [block for half in self.halves for block in half.blocks]
