"""Playing batches of points or of whole episodes in an arcade whose games go on from batch to batch.

A seed has E environments, fewer than a batch has points (or episodes), and an environment that has finished one goes
on with the next. A batch is a quota, fixed beforehand, and every return in it is complete. How a quota ends is the
algorithm's choice:

* `wait`: the quota's points are begun in order; when all are begun, an environment that finishes its own stands still
  until the batch has been learned from. Strictly on-policy, and no length bias: a point is chosen by its number.
* `carry_over`: nobody waits. The batch is the first points to end since the last batch, and those under way when it is
  complete go on, the next policy acting from then on, and count for a later batch. Every point is used once, long ones
  like short ones, but the first steps of a batch's first points were chosen by the policy before: not strictly
  on-policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from pg_experiments.collector.assembly import Unit, assemble
from pg_experiments.collector.noise import Noise
from pg_experiments.collector.tape import Rows, Tape
from pg_experiments.env.arcade import Arcade
from pg_experiments.env.screens import Differences, Look
from pg_experiments.errors import UserError
from pg_experiments.policy.policy import Policy
from pg_experiments.rollout import Episodes, Rollout
from pg_experiments.sparse import SparseRows
from pg_experiments.threads import one_thread

NONE = -1  # no point or episode
KEPT = ("pending", "fresh", "scores", "lengths", "unit")  # arrays [R, E] that outlive a batch
Act = Callable[[Tensor | SparseRows, Tensor | None], Tensor]  # observations and masks to logits


class ArcadeCollector:
    """Plays batches of `quota` points or episodes for each of the seeds."""

    def __init__(
        self,
        arcade: Arcade,
        policy: Policy,
        *,
        seeds: list[int],
        quota: int,
        of_points: bool,
        return_ends_at_points: bool,
        carry_over: bool,
        device: torch.device,
    ) -> None:
        R, E = arcade.shape
        self.arcade = arcade
        self.policy = policy
        self.seeds = seeds
        self.quota = quota
        self.of_points = of_points
        self.return_ends_at_points = return_ends_at_points
        self.carry_over = carry_over
        self.device = device
        self.size = arcade.image_shape[0] * arcade.image_shape[1]
        self.looks = [Differences(half.screens.shape, arcade.crop) for half in arcade.halves]
        self.playing = np.zeros((R, E), dtype=np.bool_)  # goes on with this batch
        self.in_flight = np.zeros((R, E), dtype=np.bool_)  # an action was sent, its outcome not yet received
        self.pending = np.zeros((R, E), dtype=np.int64)  # the row of the tape whose outcome is awaited
        self.fresh = np.ones((R, E), dtype=np.bool_)  # the screen is the first of an episode
        self.scores = np.zeros((R, E))  # of the episode so far
        self.lengths = np.zeros((R, E), dtype=np.int64)
        self.ended: list[list[tuple[float, int]]] = [[] for _ in seeds]  # returns and lengths since the last batch
        self.unit = np.full((R, E), NONE)  # the point or episode under way
        self.units = 0  # ever begun
        self.begun = [0] * len(seeds)  # for this batch
        self.complete: list[list[Unit]] = [[] for _ in seeds]  # and not in a batch yet
        self.tape = Tape()

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Play until every active seed has its quota. Arguments as in `EpisodeCollector.collect`."""
        self._begin(active)
        R, E = self.in_flight.shape
        cpu = torch.device("cpu")
        with torch.no_grad(), one_thread():
            act = self.policy.of(torch.arange(R), cpu)
            for noise, masks in Noise(self.policy, self.seeds, E, update, cpu):
                for half, span in enumerate(self.arcade.spans):
                    self._receive(half)
                    self._act(half, act, noise[:, span], None if masks is None else masks[:, span])
                if not self.playing.any():
                    break
        return self._rollout(active)

    def state(self) -> dict[str, Any]:
        """What every emulator was told, what the screens then showed, and the points under way."""
        arrays = {name: torch.from_numpy(getattr(self, name).copy()) for name in KEPT}
        return {
            **arrays,
            "told": [torch.from_numpy(told.copy()) for told in self.arcade.told()],
            "moving": self.arcade.moving(),
            "screens": self._checksum(),
            "seen": [torch.from_numpy(look.seen.copy()) for look in self.looks],
            "ended": [torch.tensor(ended, dtype=torch.float64).view(-1, 2) for ended in self.ended],
            "units": self.units,
            "complete": [[(unit.id, unit.terminated, unit.truncated) for unit in units] for units in self.complete],
            "tape": self.tape.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state: play all games again, action by action, and then take up the points under way."""
        self.arcade.replay([told.numpy() for told in state["told"]], state["moving"])
        if self._checksum() != state["screens"]:
            raise UserError(
                "after the same actions the emulators show other screens than at the time of the checkpoint; to go on "
                "exactly takes the ale-py and the ROM that the run began with"
            )
        for name in KEPT:
            getattr(self, name)[:] = state[name].numpy()
        self.in_flight = self.arcade.in_motion()
        for look, seen in zip(self.looks, state["seen"], strict=True):
            look.seen[:] = seen.numpy()
        self.ended = [[(score, int(length)) for score, length in ended.tolist()] for ended in state["ended"]]
        self.units = state["units"]
        self.complete = [[Unit(*unit) for unit in units] for units in state["complete"]]
        self.tape = Tape.of(state["tape"])

    def _checksum(self) -> int:
        """Of what all screens show."""
        return crc32(b"".join(half.screens.tobytes() for half in self.arcade.halves))

    def _begin(self, active: np.ndarray) -> None:
        """Give every environment of the active seeds a point or an episode."""
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

    def _act(self, half: int, act: Act, noise: Tensor, masks: Tensor | None) -> None:
        """Send the next actions of those of the half that play and do not move already."""
        span, emulators = self.arcade.spans[half], self.arcade.halves[half]
        acting = self.playing[:, span] & ~self.in_flight[:, span]
        if not acting.any():
            return
        look = self.looks[half].look(emulators.screens, acting, self.fresh[:, span] & acting)
        observations = SparseRows(
            torch.from_numpy(look.columns),
            torch.from_numpy(look.values.astype(np.float32)),
            torch.from_numpy(look.starts[:-1]),
            (*acting.shape, self.size),
        )
        actions = self.policy.head.sample(act(observations, masks), noise).numpy()
        emulators.send(self.arcade.actions[actions], acting)
        kept = None if masks is None else masks.numpy()[acting].astype(np.bool_)
        self.pending[:, span][acting] = self._record(half, look, acting, actions, kept)
        self.in_flight[:, span] |= acting
        self.fresh[:, span] &= ~acting

    def _record(
        self, half: int, look: Look, which: np.ndarray, actions: np.ndarray, masks: np.ndarray | None
    ) -> np.ndarray:
        """Write what some of the half saw and did onto the tape. Returns the numbers of the rows."""
        counts = (look.starts[1:] - look.starts[:-1])[which.ravel()]
        units = self.unit[:, self.arcade.spans[half]][which]
        return self.tape.record(look.columns.astype(np.int32), look.values, counts, actions[which], units, masks)

    def _receive(self, half: int) -> None:
        """Take what followed the last actions of the half."""
        span = self.arcade.spans[half]
        received = self.playing[:, span] & self.in_flight[:, span]
        if not received.any():
            return
        rewards, terminated, truncated = self.arcade.halves[half].receive(received)
        self.in_flight[:, span] &= ~received
        self.tape.pay(self.pending[:, span][received], rewards[received])
        self.scores[:, span] += rewards
        self.lengths[:, span] += received
        over = terminated | truncated
        ends = over | (rewards != 0) if self.of_points else over
        if ends.any():
            self._end_units(half, ends, cut_off=truncated & ~terminated & ((rewards == 0) | (not self.of_points)))
            for r, e in np.argwhere(over).tolist():
                self._end_episode(r, span.start + e)

    def _end_units(self, half: int, ends: np.ndarray, cut_off: np.ndarray) -> None:
        """End points or episodes [R, E of the half], by a time limit where `cut_off` says so, and begin the next."""
        if cut_off.any():
            self._record_final(half, cut_off)
        for r, of_half in np.argwhere(ends).tolist():
            e = self.arcade.spans[half].start + of_half
            truncated = bool(cut_off[r, of_half])
            self.complete[r].append(Unit(int(self.unit[r, e]), not truncated, truncated))
            self._begin_unit(r, e)
            if self.carry_over and len(self.complete[r]) >= self.quota:
                self.playing[r] = False

    def _record_final(self, half: int, cut_off: np.ndarray) -> None:
        """Record what stood there when a time limit cut episodes off, for whoever continues their returns."""
        look = self.looks[half].look(self.arcade.halves[half].final_screens, cut_off, np.zeros_like(cut_off))
        nothing = np.zeros(cut_off.shape, dtype=np.int64)
        count = int(cut_off.sum())
        masks = np.zeros((count, *self.policy.mask_shape), dtype=np.bool_) if self.policy.has_dropout else None
        self._record(half, look, cut_off, nothing, masks)

    def _end_episode(self, r: int, e: int) -> None:
        self.ended[r].append((float(self.scores[r, e]), int(self.lengths[r, e])))
        self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True

    def _rollout(self, active: np.ndarray) -> Rollout:
        """The batch of the active seeds; what belongs to a later one stays on the tape."""
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
        self._keep(recorded, [unit.id for of_seed in batch for unit in of_seed])
        return rollout

    def _take_batch(self, r: int) -> list[Unit]:
        if not self.carry_over:
            self.complete[r].sort(key=lambda unit: unit.id)  # as they were begun
        batch, self.complete[r] = self.complete[r][: self.quota], self.complete[r][self.quota :]
        return batch

    def _take_games(self, r: int) -> Episodes:
        ended, self.ended[r] = np.array(self.ended[r]).reshape(-1, 2), []
        return Episodes(torch.from_numpy(ended[:, 0]), torch.from_numpy(ended[:, 1].astype(np.int64)))

    def _keep(self, recorded: Rows, used: list[int]) -> None:
        """Start a new tape with the rows that no batch has used yet."""
        left = ~np.isin(recorded.units, used)
        self.pending = (np.cumsum(left) - 1)[self.pending]
        self.tape = Tape(recorded[np.flatnonzero(left)])
