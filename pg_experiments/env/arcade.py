"""Vectorised Atari emulators in two halves: while the policy acts on one half, the other half is emulated.

ale-py's `AtariVectorEnv` emulates in C++ threads, and always steps all of its members. The unit that can be paused is
therefore one `AtariVectorEnv`, called a block: all environments of a learner in a half, or a single environment. The
state of an emulator cannot be saved, but it is determined by the seeds and the actions. All actions are logged, and are
replayed on resume.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode

from pg_experiments.env.screens import Crop
from pg_experiments.support.errors import UserError

HEIGHT, WIDTH = 210, 160  # pixels of a screen
AUTORESET = AutoresetMode.SAME_STEP  # resets run in the emulator's threads and take no step


class Outcome(NamedTuple):
    """Outcome of a step, [R, E] each; 0 or False where no step was made."""

    rewards: np.ndarray
    terminated: np.ndarray  # bool
    truncated: np.ndarray  # bool


@dataclass
class _Block:
    """Environments that are stepped together. Their state is determined by the seed and the logged actions."""

    seed: int  # index of the learner
    envs: slice  # of the learner's environments in the half
    emulators: AtariVectorEnv
    log: bytearray = field(default_factory=bytearray)  # the actions of every step, one byte each
    moving: bool = False  # the outcome of the last step has not been received

    @property
    def size(self) -> int:
        return int(self.envs.stop - self.envs.start)

    @property
    def told(self) -> np.ndarray:
        """[steps, size] uint8: all actions since the emulators were made."""
        return np.frombuffer(bytes(self.log), dtype=np.uint8).reshape(-1, self.size)

    def send(self, actions: list[int]) -> None:
        # lists, and bypassing the checks of `AtariVectorEnv.send`: 4 µs for 16 environments instead of 25
        self.emulators.ale.send(actions, [1.0] * len(actions))  # type: ignore[arg-type]
        self.log += bytes(actions)
        self.moving = True


class ArcadeHalf:
    """Environments [R, E] and their screens."""

    def __init__(self, make: Callable[[int], AtariVectorEnv], seeds: Sequence[Sequence[int]], alone: bool) -> None:
        """Makes the emulators and starts their first episodes.

        Args:
            make: makes an `AtariVectorEnv` with a number of members.
            seeds: [R][E], a seed for each emulator.
            alone: whether each environment can be paused alone, or all of a learner's together.
        """
        R, E = len(seeds), len(seeds[0])
        size = 1 if alone else E
        self.shape = (R, E)
        self.screens = np.zeros((R, E, HEIGHT, WIDTH), dtype=np.uint8)  # grey levels
        self.final_screens = self.screens.copy()  # last screens of episodes that have just ended
        self.blocks = [_Block(r, slice(e, e + size), make(size)) for r in range(R) for e in range(0, E, size)]
        for block in self.blocks:
            if block.emulators.autoreset_mode != AUTORESET:
                raise ValueError(f"the arcade needs {AUTORESET}, not {block.emulators.autoreset_mode}")
            screens, _ = block.emulators.reset(seed=np.array(seeds[block.seed][block.envs]))
            self._show(block, screens)

    def send(self, actions: np.ndarray, playing: np.ndarray) -> None:
        """Sends actions [R, E] to the blocks whose entries of `playing` [R, E] are True."""
        for block in self._of(playing):
            block.send(actions[block.seed, block.envs].tolist())

    def receive(self, playing: np.ndarray) -> Outcome:
        """Waits for the outcomes, and updates `screens`. After an episode's end they show the next episode."""
        if len(self.blocks) == 1:  # the common case, without copying
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
        """Waits for one block's outcome and updates its screens."""
        block.moving = False
        screens, rewards, terminated, truncated, info = block.emulators.recv()
        self._show(block, screens)
        return rewards, terminated, truncated, info

    def _of(self, playing: np.ndarray) -> list[_Block]:
        return [block for block in self.blocks if playing[block.seed, block.envs.start]]

    def _show(self, block: _Block, frames: np.ndarray) -> None:
        if len(self.blocks) == 1:
            self.screens = frames[None, :, 0]  # without copying
        else:
            self.screens[block.seed, block.envs] = frames[:, 0]


class Arcade:
    """The environments of R learners, E each, in up to two halves."""

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
        """Makes the emulators and starts their first episodes.

        Args:
            make: makes an `AtariVectorEnv` with a number of members and of threads.
            seeds: [R][E], a seed for each emulator.
            alone: whether each environment can be paused alone, or all of a learner's in a half together.
            crop: the pixels that are observed.
            actions: [A] the emulator's index of each action of the policy.
            names: [A] names of the actions.
            emulator_names: [A] the emulator's names of the actions; None where they are the same.
        """
        E = len(seeds[0])
        split = [0, -(-E // 2), E] if E > 1 else [0, 1]
        threads = 1 if alone else max(1, (os.cpu_count() or 1) // (len(seeds) * (len(split) - 1)))
        self.crop = crop
        self.actions = np.array(actions)
        self.action_names = list(names)
        self._emulator_names = list(emulator_names)
        self.single_observation_space = crop.space(WIDTH)
        self.single_action_space = Discrete(len(actions))
        self.shape = (len(seeds), E)
        self.spans = [slice(a, b) for a, b in pairwise(split)]  # of the E environments, those of each half
        self.halves = [
            ArcadeHalf(lambda size: make(size, threads), [learner_seeds[span] for learner_seeds in seeds], alone)
            for span in self.spans
        ]

    @property
    def image_shape(self) -> tuple[int, int]:
        """h and w of the images in an observation."""
        return self.crop.shape(WIDTH)

    @property
    def facts(self) -> dict[str, str]:
        """The header line `actions`: names of the actions, with the emulator's names where these differ."""
        names = [
            name if emulator_name is None else f"{name} (the emulator's {emulator_name})"
            for name, emulator_name in zip(self.action_names, self._emulator_names, strict=True)
        ]
        return {"actions": ", ".join(f"{index} {name}" for index, name in enumerate(names))}

    def resume_note(self, state: Mapping[str, Any]) -> str:
        """The number of steps that are replayed, which are all, since an emulator's state cannot be saved."""
        steps = sum(actions.numel() for actions in state["told"])
        return f"; {steps:,} steps of its games are played again first"

    def told(self) -> list[np.ndarray]:
        """All actions of every block since it was made, [steps, environments] uint8 each."""
        return [block.told for block in self._blocks]

    def moving(self) -> list[bool]:
        """Whether the outcome of the last step is still to be received, for every block."""
        return [block.moving for block in self._blocks]

    def in_motion(self) -> np.ndarray:
        """[R, E] bool: likewise for every environment."""
        moving = np.zeros(self.shape, dtype=np.bool_)
        for half, span in zip(self.halves, self.spans, strict=True):
            for block in half.blocks:
                moving[block.seed, span][block.envs] = block.moving
        return moving

    def replay(self, told: Sequence[np.ndarray], moving: Sequence[bool]) -> None:
        """Replays logged actions on new emulators.

        Args:
            told: the actions of every block, as `told` returns them.
            moving: whether the outcome of every block's last step is not received, as `moving` returns it.

        Raises:
            ValueError: the emulators are not new, the number or size of blocks differs, or an action is invalid.
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

    def checksum(self) -> int:
        """CRC-32 of all screens, within the crop."""
        rows = slice(self.crop.top, self.crop.bottom, self.crop.stride)
        return crc32(b"".join(half.screens[:, :, rows].tobytes() for half in self.halves))

    def compare(self, checksum: int) -> None:
        """Raises UserError where the screens are not those of an earlier `checksum`."""
        if self.checksum() != checksum:
            raise UserError(
                "after the same actions the emulators show other screens than at the time of the checkpoint; "
                "resuming exactly needs the ale-py and the ROM that the run began with"
            )

    @property
    def _blocks(self) -> list[_Block]:
        return [block for half in self.halves for block in half.blocks]
