"""Collects batches of points or of whole episodes from Atari games that continue across batches.

A learner has E environments, at most as many as a batch has points (or episodes). An environment that finishes a point
starts the next one. A batch is a fixed quota, and every return in it is complete. `collect.unfinished` chooses how a
batch ends:

* `wait`: the points of the quota are started in order. Once all are started, an environment that finishes its point is
  not stepped until the batch has been learned from. Strictly on-policy and without length bias, since points are
  selected by their number.
* `carry_over`: no environment waits. The batch is the first points to end since the last batch. Unfinished points
  continue with the updated policy, and belong to a later batch. Every point is used exactly once, so there is no length
  bias. Not strictly on-policy: the first steps of a batch's first points were chosen by an older policy, and are used
  without importance weights. With `env=pong` these are 8 to 15 % of the steps; the cosine similarity to the weighted
  gradient was 0.98 to 1.00 (`python -m benchmarks.pong_carry_over`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pg_experiments.collect.assembly import Unit, assemble
from pg_experiments.collect.noise import Noise
from pg_experiments.collect.tape import Rows, Tape
from pg_experiments.env.arcade import WIDTH, Arcade, ArcadeHalf
from pg_experiments.env.screens import Observer
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.networks import CompiledStep
from pg_experiments.tensors.rollout import Episodes, Rollout
from pg_experiments.tensors.threads import one_thread

NONE = -1  # no point or episode
KEPT = ("pending", "fresh", "scores", "lengths", "unit")  # arrays [R, E] that persist across batches


@dataclass
class _Half:
    """One half of the emulators, with views [R, E of the half] of the collector's arrays."""

    emulators: ArcadeHalf
    observer: Observer
    first: int  # index of its first environment
    playing: np.ndarray
    in_flight: np.ndarray
    pending: np.ndarray
    fresh: np.ndarray
    scores: np.ndarray
    lengths: np.ndarray
    unit: np.ndarray


class ArcadeCollector:
    """Collects batches of `quota` points or episodes per learner."""

    def __init__(
        self,
        arcade: Arcade,
        policy: Policy,
        *,
        seeds: Sequence[int],
        quota: int,
        of_points: bool,
        return_ends_at_points: bool,
        carry_over: bool,
        device: torch.device,
    ) -> None:
        R, E = arcade.shape
        self.arcade = arcade
        self.policy = policy
        self.seeds = list(seeds)
        self.quota = quota
        self.of_points = of_points
        self.return_ends_at_points = return_ends_at_points
        self.carry_over = carry_over
        self.device = device
        self.size = math.prod(arcade.single_observation_space.shape)
        self.playing = np.zeros((R, E), dtype=np.bool_)  # is stepped in this batch
        self.in_flight = np.zeros((R, E), dtype=np.bool_)  # an action was sent, and its outcome not yet received
        self.pending = np.zeros((R, E), dtype=np.int64)  # row on the tape of the action in flight
        self.fresh = np.ones((R, E), dtype=np.bool_)  # the screen is the first of an episode
        self.scores = np.zeros((R, E))  # return of the episode so far
        self.lengths = np.zeros((R, E), dtype=np.int64)
        self.ended: list[list[tuple[float, int]]] = [[] for _ in seeds]  # returns and lengths since the last batch
        self.unit = np.full((R, E), NONE)  # id of the current point or episode
        self.units = 0  # number of points or episodes started so far
        self.begun = [0] * len(seeds)  # number started for this batch
        self.complete: list[list[Unit]] = [[] for _ in seeds]  # finished, and not yet in a batch
        self.tape = Tape()
        self.halves = [self._half(half, span) for half, span in zip(arcade.halves, arcade.spans, strict=True)]

    def _half(self, emulators: ArcadeHalf, span: slice) -> _Half:
        views = {name: getattr(self, name)[:, span] for name in ("playing", "in_flight", *KEPT)}
        return _Half(emulators, Observer(emulators.shape, WIDTH, self.arcade.crop), span.start, **views)

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Collects the quota of every active learner. Arguments as in `Collector.collect`."""
        self._begin(active)
        E = self.in_flight.shape[1]
        cpu = torch.device("cpu")
        with torch.no_grad(), one_thread():
            act = self.policy.acting()
            for noise, masks in Noise(self.policy, dict(enumerate(self.seeds)), E, update, cpu):
                drawn, kept = noise.numpy(), None if masks is None else masks.numpy()
                for half, span in zip(self.halves, self.arcade.spans, strict=True):
                    self._receive(half)
                    self._act(half, act, drawn[:, span], None if kept is None else kept[:, span])
                if not self.playing.any():
                    break
        return self._rollout(active)

    def state(self) -> dict[str, Any]:
        """The actions sent to every emulator, a checksum of the screens, and the unfinished points."""
        arrays = {name: torch.from_numpy(getattr(self, name).copy()) for name in KEPT}
        return {
            **arrays,
            "told": [torch.from_numpy(actions.copy()) for actions in self.arcade.told()],
            "moving": self.arcade.moving(),
            "screens": self.arcade.checksum(),
            "seen": [torch.from_numpy(half.observer.seen.copy()) for half in self.halves],
            "ended": [torch.tensor(ended, dtype=torch.float64).view(-1, 2) for ended in self.ended],
            "units": self.units,
            "complete": [[(unit.id, unit.terminated, unit.truncated) for unit in units] for units in self.complete],
            "tape": self.tape.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state: replays the actions of all games, then restores the unfinished points."""
        self.arcade.replay([actions.numpy() for actions in state["told"]], state["moving"])
        self.arcade.compare(state["screens"])
        for name in KEPT:
            getattr(self, name)[:] = state[name].numpy()
        self.in_flight[:] = self.arcade.in_motion()
        for half, screens in zip(self.halves, state["seen"], strict=True):
            half.observer.seen[:] = screens.numpy()
        self.ended = [[(score, int(length)) for score, length in ended.tolist()] for ended in state["ended"]]
        self.units = state["units"]
        self.complete = [[Unit(*unit) for unit in units] for units in state["complete"]]
        self.tape = Tape.of(state["tape"])

    def _begin(self, active: np.ndarray) -> None:
        """Assigns a point or an episode to every environment of the active learners."""
        self.playing[:] = False
        for r in active.tolist():
            self.begun[r] = 0
            self.playing[r] = len(self.complete[r]) < self.quota
            for e in np.flatnonzero(self.unit[r] == NONE).tolist():
                self._begin_unit(r, e)

    def _begin_unit(self, r: int, e: int) -> None:
        if self.carry_over or self.begun[r] < self.quota:
            self.unit[r, e] = self.units
            self.units += 1
            self.begun[r] += 1
        else:
            self.unit[r, e], self.playing[r, e] = NONE, False

    def _act(self, at: _Half, act: CompiledStep, noise: np.ndarray, masks: np.ndarray | None) -> None:
        """Sends the next actions of the half's active environments that have no action in flight."""
        acting = at.playing & ~at.in_flight
        if not np.count_nonzero(acting):
            return
        look = at.observer.look(at.emulators.screens, acting, at.fresh & acting)
        actions = self.policy.head.sample(act(*look, masks), noise)
        at.emulators.send(self.arcade.actions[actions], acting)
        kept = None if masks is None else masks[acting].astype(np.bool_)
        at.pending[acting] = self.tape.record(look, acting, actions, at.unit.copy(), kept)
        at.in_flight |= acting
        at.fresh[acting] = False

    def _receive(self, at: _Half) -> None:
        """Receives the outcomes of the half's last actions."""
        received = at.playing & at.in_flight
        if not np.count_nonzero(received):
            return
        rewards, terminated, truncated = at.emulators.receive(received)
        at.in_flight ^= received
        at.lengths += received
        over = terminated | truncated
        if np.count_nonzero(rewards):
            self.tape.pay(at.pending[received], rewards[received])
            at.scores += rewards
        elif not np.count_nonzero(over):
            return  # the common case
        ends = over | (rewards != 0) if self.of_points else over
        self._end_units(at, ends, cut_off=truncated & ~terminated & ((rewards == 0) | (not self.of_points)))
        for r, e in np.argwhere(over).tolist():
            self._end_episode(r, at.first + e)

    def _end_units(self, at: _Half, ends: np.ndarray, cut_off: np.ndarray) -> None:
        """Ends points or episodes [R, E of the half], truncated where `cut_off` is True, and starts the next ones."""
        if cut_off.any():
            self._record_final(at, cut_off)
        for r, within_half in np.argwhere(ends).tolist():
            e = at.first + within_half
            truncated = bool(cut_off[r, within_half])
            self.complete[r].append(Unit(int(self.unit[r, e]), not truncated, truncated))
            self._begin_unit(r, e)
            if self.carry_over and len(self.complete[r]) >= self.quota:
                self.playing[r] = False

    def _record_final(self, at: _Half, cut_off: np.ndarray) -> None:
        """Records the final observations of truncated episodes, which bootstrapping needs."""
        look = at.observer.look(at.emulators.final_screens, cut_off, np.zeros_like(cut_off))
        nothing = np.zeros(cut_off.shape, dtype=np.int64)
        count = int(cut_off.sum())
        shape = (count, *self.policy.network.noise_shape)
        masks = np.zeros(shape, dtype=np.bool_) if self.policy.has_noise else None
        self.tape.record(look, cut_off, nothing, at.unit.copy(), masks)

    def _end_episode(self, r: int, e: int) -> None:
        self.ended[r].append((float(self.scores[r, e]), int(self.lengths[r, e])))
        self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True

    def _rollout(self, active: np.ndarray) -> Rollout:
        """Assembles the batch of the active learners; rows of later batches stay on the tape."""
        recorded = self.tape.rows()
        batch, games = [self._take_batch(r) for r in active], [self._take_games(r) for r in active]
        rollout = assemble(
            batch,
            recorded,
            learners=active,
            size=self.size,
            points_within=self.return_ends_at_points and not self.of_points,
            games=games if self.of_points else None,
            device=self.device,
        )
        self._keep(recorded, [unit.id for units in batch for unit in units])
        return rollout

    def _take_batch(self, r: int) -> list[Unit]:
        if not self.carry_over:
            self.complete[r].sort(key=lambda unit: unit.id)  # in the order in which they were started
        batch, self.complete[r] = self.complete[r][: self.quota], self.complete[r][self.quota :]
        return batch

    def _take_games(self, r: int) -> Episodes:
        ended, self.ended[r] = np.array(self.ended[r]).reshape(-1, 2), []
        return Episodes(torch.from_numpy(ended[:, 0]), torch.from_numpy(ended[:, 1].astype(np.int64)))

    def _keep(self, recorded: Rows, used: list[int]) -> None:
        """Starts a new tape with the rows that have not been used in a batch."""
        left = ~np.isin(recorded.units, used)
        self.pending[:] = (np.cumsum(left) - 1)[self.pending]
        self.tape = Tape(recorded[np.flatnonzero(left)])
