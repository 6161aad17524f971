"""Preprocessing of screens: the foreground of two consecutive screens, or the difference between them.

As in "Pong from Pixels" (Karpathy 2016): the screen is cropped and subsampled, and pixels are 1 in the foreground and 0
in the background. The policy observes the screen minus the previous one (`differences`, as in the article), or both
screens (`frames`), which also show objects that do not move. Axes: R learners, E environments, h × w pixels, D numbers
in an observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from gymnasium.spaces import Box

from pg_experiments.tensors.compiled import compiled

Foreground = Literal["differences", "frames"]


@dataclass(frozen=True)
class Crop:
    """The observed pixels of a screen, the grey levels of its background, and what is observed of two screens."""

    top: int  # first row
    bottom: int  # the row after the last
    stride: int  # of rows and columns
    background: tuple[int, ...]  # grey levels, 0 to 255
    observation: Foreground

    def shape(self, width: int) -> tuple[int, int]:
        """h and w for screens that are `width` pixels wide."""
        return -(-(self.bottom - self.top) // self.stride), -(-width // self.stride)

    def space(self, width: int) -> Box:
        """The space of observations: [h, w] of −1, 0, 1 for differences; [2, h, w] of 0, 1 for frames."""
        if self.observation == "differences":
            return Box(-1, 1, self.shape(width), np.float32)
        return Box(0, 1, (2, *self.shape(width)), np.float32)

    @property
    def foreground(self) -> np.ndarray:
        """[256] int8: 1 for each grey level of the foreground, 0 for those of the background."""
        levels = np.ones(256, dtype=np.int8)
        levels[list(self.background)] = 0
        return levels


class Look(NamedTuple):
    """Observations of R × E screens in sparse form: the non-zero numbers of D each."""

    columns: np.ndarray  # [n] int32: learner · D + place in the observation, screens in order
    values: np.ndarray  # [n] int8: 1, or −1 where a pixel became background
    counts: np.ndarray  # [R · E] int64: number of non-zero numbers of each screen


class Observer:
    """Computes the observations of R × E screens, from each screen and the one before of the same environment."""

    def __init__(self, shape: tuple[int, int], width: int, crop: Crop) -> None:
        """`shape` is (R, E), `width` that of a screen in pixels, a multiple of 8. The crop's stride divides 8."""
        self.crop = crop
        self.foreground = crop.foreground
        self.seen = np.zeros((*shape, crop.shape(width)[0], width), dtype=np.uint8)  # grey levels
        self._fill = {"differences": _differences, "frames": _frames}[crop.observation]
        most = math.prod(shape) * math.prod(crop.space(width).shape)
        self._columns, self._values = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int8)

    def look(self, screens: np.ndarray, chosen: np.ndarray, fresh: np.ndarray) -> Look:
        """Observe some of the screens.

        Args:
            screens: [R, E, height, width] grey levels, C-contiguous.
            chosen: [R, E] bool, True for the screens that are observed.
            fresh: [R, E] bool, True for the first screen of an episode, which counts as the one before, too.
        """
        counts = np.empty(chosen.size, dtype=np.int64)
        n = self._fill(
            screens.view(np.uint64), self.seen.view(np.uint64), screens, self.seen, self.crop.top, self.crop.stride,
            self.foreground, chosen, fresh, self._columns, self._values, counts,
        )  # fmt: skip
        return Look(self._columns[:n].copy(), self._values[:n].copy(), counts)


class SingleObserver:
    """Observations of one game, from its screens one after the other, as dense arrays."""

    def __init__(self, width: int, crop: Crop) -> None:
        """`width` is that of a screen in pixels."""
        self.space = crop.space(width)
        self.observer = Observer((1, 1), width, crop)

    def observe(self, screen: np.ndarray, *, fresh: bool) -> np.ndarray:
        """The observation after the next screen [height, width] uint8, which is the first of an episode if `fresh`."""
        screens = np.ascontiguousarray(screen)[None, None]  # [R = 1, E = 1, height, width]
        one = np.ones((1, 1), dtype=np.bool_)
        look = self.observer.look(screens, one, one & fresh)
        observation = np.zeros(self.space.shape, dtype=np.float32)
        observation.reshape(-1)[look.columns] = look.values
        return observation


SIGNATURE = (
    "uint64[:, :, :, ::1]", "uint64[:, :, :, ::1]", "uint8[:, :, :, ::1]", "uint8[:, :, :, ::1]", "int64", "int64",
    "int8[::1]", "boolean[:, ::1]", "boolean[:, ::1]", "int32[::1]", "int8[::1]", "int64[::1]",
)  # fmt: skip


@compiled(*SIGNATURE, returns="int64")
def _differences(now, seen, now_levels, seen_levels, top, stride, foreground, chosen, fresh, columns, values, counts):  # type: ignore[no-untyped-def]
    """Fill columns, values and counts, and copy the chosen screens `now` to `seen`. Returns the length of columns.

    Few pixels change. Rows are therefore compared first, eight pixels at a time as a uint64, and the foreground is
    looked up only where they differ.
    """
    R, E, h, eights = seen.shape
    n = 0
    for r in range(R):
        for e in range(E):
            before = n
            for y in range(h if chosen[r, e] else 0):
                row = top + y * stride
                different = np.uint64(0)
                for i in range(eights):
                    different |= now[r, e, row, i] ^ seen[r, e, y, i]
                for i in range(eights if different else 0):
                    if now[r, e, row, i] == seen[r, e, y, i]:
                        continue
                    for x in range(8 * i, 8 * i + 8, stride):
                        change = foreground[now_levels[r, e, row, x]] - foreground[seen_levels[r, e, y, x]]
                        if change != 0 and not fresh[r, e]:
                            columns[n], values[n] = ((r * h + y) * 8 * eights + x) // stride, change
                            n += 1
                    seen[r, e, y, i] = now[r, e, row, i]
            counts[r * E + e] = n - before
    return n


@compiled(*SIGNATURE, returns="int64")
def _frames(now, seen, now_levels, seen_levels, top, stride, foreground, chosen, fresh, columns, values, counts):  # type: ignore[no-untyped-def]
    """As `_differences`, but the foreground of `now`, and then that of `seen`."""
    R, E, h, width = seen_levels.shape
    n = 0
    for r in range(R):
        for e in range(E):
            before = n
            rows = h if chosen[r, e] else 0
            for y in range(rows if fresh[r, e] else 0):
                seen[r, e, y] = now[r, e, top + y * stride]
            for y in range(rows):
                for x in range(0, width, stride):
                    if foreground[now_levels[r, e, top + y * stride, x]]:
                        columns[n], values[n] = ((2 * r * h + y) * width + x) // stride, 1
                        n += 1
            for y in range(rows):
                for x in range(0, width, stride):
                    if foreground[seen_levels[r, e, y, x]]:
                        columns[n], values[n] = (((2 * r + 1) * h + y) * width + x) // stride, 1
                        n += 1
                seen[r, e, y] = now[r, e, top + y * stride]
            counts[r * E + e] = n - before
    return n
