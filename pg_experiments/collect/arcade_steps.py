"""Collects fragments of Atari games: a fixed number of steps in each of a learner's environments.

Games continue across batches. Every environment makes the same number of steps, so none waits for another, and batches
are strictly on-policy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from pg_experiments.collect.noise import CHUNK, Noise
from pg_experiments.env.arcade import WIDTH, Arcade, ArcadeHalf
from pg_experiments.env.screens import Look, Observer
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.networks import CompiledStep
from pg_experiments.tensors.rollout import Episodes, Finals, Rollout
from pg_experiments.tensors.sparse import SparseSteps
from pg_experiments.tensors.threads import one_thread

KEPT = ("fresh", "scores", "lengths")  # arrays [R, E] that persist across batches


class _Half(NamedTuple):
    """One half of the emulators."""

    emulators: ArcadeHalf
    observer: Observer
    envs: slice  # its environments among the E of a learner


class ArcadeStepsCollector:
    """Collects `num_steps` steps of every environment of an arcade per learner."""

    def __init__(
        self,
        arcade: Arcade,
        policy: Policy,
        *,
        seeds: Sequence[int],
        num_steps: int,
        return_ends_at_points: bool,
        device: torch.device,
    ) -> None:
        R, E = arcade.shape
        self.arcade = arcade
        self.policy = policy
        self.seeds = list(seeds)
        self.num_steps = num_steps
        self.return_ends_at_points = return_ends_at_points
        self.device = device
        self.fresh = np.ones((R, E), dtype=np.bool_)  # the screen is the first of an episode
        self.scores = np.zeros((R, E))  # return of the episode so far
        self.lengths = np.zeros((R, E), dtype=np.int64)
        self.halves = [
            _Half(half, Observer(half.shape, WIDTH, arcade.crop), span)
            for half, span in zip(arcade.halves, arcade.spans, strict=True)
        ]

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Plays a fragment in every environment of the active learners. Arguments as in `Collector.collect`."""
        E, T = self.fresh.shape[1], self.num_steps
        playing = np.zeros(self.fresh.shape, dtype=np.bool_)
        playing[active] = True
        fragment = _Fragment(T, playing)
        noise = Noise(self.policy, dict(enumerate(self.seeds)), E, update, torch.device("cpu"), chunk=min(CHUNK, T))
        with torch.no_grad(), one_thread():
            act = self.policy.acting()
            for t, (drawn, kept) in zip(range(T), noise, strict=False):
                for half in self.halves:
                    if t:
                        self._receive(half, t - 1, fragment)
                    masks = None if kept is None else kept[:, half.envs].numpy()
                    self._act(half, t, fragment, act, drawn[:, half.envs].numpy(), masks)
            for half in self.halves:
                self._receive(half, T - 1, fragment)
                self._observe_last(half, fragment)
        dropped = noise.of_network(T)
        return Rollout(
            learners=torch.from_numpy(active).to(self.device),
            **fragment.steps(active, self._size, self.return_ends_at_points, self.device),
            dropout_masks=None if dropped is None else dropped[:, torch.from_numpy(active)].to(self.device),
            games=[Episodes(*map(torch.tensor, fragment.games(r))) for r in active.tolist()],
            full=True,
        )

    def state(self) -> dict[str, Any]:
        """The actions sent to every emulator, a checksum of the screens, and the scores of unfinished games."""
        return {
            **{name: torch.from_numpy(getattr(self, name).copy()) for name in KEPT},
            "told": [torch.from_numpy(actions.copy()) for actions in self.arcade.told()],
            "screens": self.arcade.checksum(),
            "seen": [torch.from_numpy(half.observer.seen.copy()) for half in self.halves],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state: replays the actions of all games."""
        told = [actions.numpy() for actions in state["told"]]
        self.arcade.replay(told, [False] * len(told))
        self.arcade.compare(state["screens"])
        for name in KEPT:
            getattr(self, name)[:] = state[name].numpy()
        for half, screens in zip(self.halves, state["seen"], strict=True):
            half.observer.seen[:] = screens.numpy()

    @property
    def _size(self) -> int:
        return math.prod(self.arcade.single_observation_space.shape)

    def _act(
        self, at: _Half, t: int, fragment: _Fragment, act: CompiledStep, noise: np.ndarray, masks: np.ndarray | None
    ) -> None:
        """Observes the screens, and sends the next actions."""
        playing = fragment.playing_of(at.envs)
        look = at.observer.look(at.emulators.screens, playing, self.fresh[:, at.envs] & playing)
        fragment.observe(t, at.envs, look)
        actions = self.policy.head.sample(act(*look, masks), noise)
        at.emulators.send(self.arcade.actions[actions], playing)
        fragment.actions[t, :, at.envs] = actions
        self.fresh[:, at.envs] &= ~playing

    def _receive(self, at: _Half, t: int, fragment: _Fragment) -> None:
        """Receives the outcomes of step t."""
        playing = fragment.playing_of(at.envs)
        rewards, terminated, truncated = at.emulators.receive(playing)
        fragment.rewards[t, :, at.envs] = rewards
        fragment.terminated[t, :, at.envs] = terminated
        fragment.truncated[t, :, at.envs] = truncated
        self.scores[:, at.envs] += rewards
        self.lengths[:, at.envs] += playing
        over = terminated | truncated
        if not over.any():
            return
        if (cut_off := truncated & ~terminated).any():
            look = at.observer.look(at.emulators.final_screens, cut_off, np.zeros_like(cut_off))
            fragment.observe_final(t, at.envs, look, cut_off)
        for r, within_half in np.argwhere(over).tolist():
            e = at.envs.start + within_half
            fragment.ended[r].append((float(self.scores[r, e]), int(self.lengths[r, e])))
            self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True

    def _observe_last(self, at: _Half, fragment: _Fragment) -> None:
        """Observes what follows the fragment, without counting it as seen: it is the next one's first observation."""
        seen = at.observer.seen.copy()
        ended = fragment.terminated[-1, :, at.envs] | fragment.truncated[-1, :, at.envs]
        going_on = fragment.playing_of(at.envs) & ~ended
        look = at.observer.look(at.emulators.screens, going_on, np.zeros_like(going_on))
        fragment.observe_final(self.num_steps - 1, at.envs, look, going_on)
        at.observer.seen[:] = seen


class _Fragment:
    """The steps of all R learners' environments while they are collected; only those of active ones are used."""

    def __init__(self, T: int, playing: np.ndarray) -> None:
        """`playing` is [R, E] bool: the environments of active learners."""
        shape = (T, *playing.shape)
        self.playing = playing
        self.actions = np.zeros(shape, dtype=np.int64)
        self.rewards = np.zeros(shape, dtype=np.float32)
        self.terminated, self.truncated = np.zeros((2, *shape), dtype=np.bool_)
        self.ended: list[list[tuple[float, int]]] = [[] for _ in playing]  # returns and lengths of finished episodes
        self._looks: list[Look] = []
        self._rows = 0  # of all looks
        self._row_of = np.zeros(shape, dtype=np.int64)
        self._finals: list[tuple[int, int, int, int]] = []  # learner, step, environment, and the row

    def playing_of(self, envs: slice) -> np.ndarray:
        """[R, E of the half] bool, C-contiguous as compiled loops need: those of a half's environments."""
        return np.ascontiguousarray(self.playing[:, envs])

    def observe(self, t: int, envs: slice, look: Look) -> None:
        """Adds what a half's environments showed before step t."""
        self._row_of[t, :, envs] = self._add(look).reshape(len(self.playing), -1)

    def observe_final(self, t: int, envs: slice, look: Look, which: np.ndarray) -> None:
        """Adds what some of a half's environments [R, E of the half] showed after step t, where the data is cut."""
        rows = self._add(look).reshape(which.shape)
        self._finals += [(r, t, envs.start + e, int(rows[r, e])) for r, e in np.argwhere(which).tolist()]

    def games(self, learner: int) -> tuple[list[float], list[int]]:
        """Returns and lengths of a learner's finished episodes, in order of time and then of environment."""
        return [score for score, _ in self.ended[learner]], [length for _, length in self.ended[learner]]

    def steps(self, active: np.ndarray, size: int, return_ends_at_points: bool, device: torch.device) -> dict[str, Any]:
        """The rollout's steps of the active learners. `size` is D, the number of numbers in an observation."""

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        counts = np.concatenate([look.counts for look in self._looks])
        observations = SparseSteps(
            tensor(np.concatenate([look.columns for look in self._looks]) % size),
            tensor(np.concatenate([look.values for look in self._looks])),
            tensor(np.concatenate([[0], np.cumsum(counts)])),
            tensor(self._row_of[:, active]),
            size,
        )
        rewards = self.rewards[:, active]
        return {
            "observations": observations,
            "actions": tensor(self.actions[:, active]),
            "rewards": tensor(rewards),
            "mask": torch.ones(rewards.shape, dtype=torch.bool, device=device),
            "terminated": tensor(self.terminated[:, active]),
            "truncated": tensor(self.truncated[:, active]),
            "finals": self._final_observations(active, observations, device),
            "return_ends": tensor(rewards != 0) if return_ends_at_points else None,
        }

    def _final_observations(self, active: np.ndarray, observations: SparseSteps, device: torch.device) -> Finals:
        R, E = len(active), self.playing.shape[1]
        own = [sorted(final for final in self._finals if final[0] == learner) for learner in active.tolist()]
        M = E * max(1, -(-max(map(len, own)) // E))  # a multiple, as `Finals.parts` needs
        rows, positions = np.zeros((2, R, M), dtype=np.int64)
        valid = np.zeros((R, M), dtype=np.bool_)
        for r, finals in enumerate(own):
            for place, (_, t, e, row) in enumerate(finals):
                rows[r, place], positions[r, place], valid[r, place] = row, (t * R + r) * E + e, True
        places, is_there = torch.from_numpy(positions).to(device), torch.from_numpy(valid).to(device)
        return Finals(observations.rows(torch.from_numpy(rows).to(device), is_there), places, is_there)

    def _add(self, look: Look) -> np.ndarray:
        """Returns the rows of a look."""
        self._looks.append(look)
        self._rows += len(look.counts)
        return np.arange(self._rows - len(look.counts), self._rows)
