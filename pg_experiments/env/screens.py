"""From an emulator's screens to what a policy sees of them: where something came, and where something went.

As in "Pong from Pixels" (Karpathy 2016): a part of the screen, every second pixel, 1 where there is anything in front
of the background and 0 elsewhere, and of that the difference to the screen before. Axes: R seeds, E
environments, h × w pixels that are looked at, D = h · w.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pg_experiments.tensors.compiled import compiled


@dataclass(frozen=True)
class Crop:
    """Which pixels of a screen are looked at, and which of their levels are nothing."""

    top: int  # first row
    bottom: int  # the row after the last
    stride: int  # every how many rows and columns
    background: tuple[int, ...]  # grey levels, 0 to 255, that are erased

    def shape(self, width: int) -> tuple[int, int]:
        """h and w, of screens of that width in pixels."""
        return -(-(self.bottom - self.top) // self.stride), -(-width // self.stride)

    @property
    def foreground(self) -> np.ndarray:
        """[256] int8: of each grey level, 1 for something in front of the background and 0 for nothing."""
        levels = np.ones(256, dtype=np.int8)
        levels[list(self.background)] = 0
        return levels


class Look(NamedTuple):
    """What changed on R × E screens: D numbers each, nearly all 0, as a list of those that are not."""

    columns: np.ndarray  # [n] int32: seed · D + pixel, screens in order
    values: np.ndarray  # [n] int8: 1 where something has come, −1 where something has gone
    counts: np.ndarray  # [R · E] int64: how many each screen has


class Differences:
    """What changed on each of R × E screens since it was last looked at."""

    def __init__(self, shape: tuple[int, int], width: int, crop: Crop) -> None:
        """`shape` is R and E, `width` that of a screen in pixels. 8 divides it, and the crop's stride divides 8."""
        h, w = crop.shape(width)
        self.crop = crop
        self.foreground = crop.foreground
        self.seen = np.zeros((*shape, h, width), dtype=np.uint8)  # grey levels
        most = math.prod(shape) * h * w
        self._columns, self._values = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int8)

    def look(self, screens: np.ndarray, chosen: np.ndarray, fresh: np.ndarray) -> Look:
        """Look at some of the screens.

        Args:
            screens: [R, E, height, width] grey levels, without gaps in memory.
            chosen: [R, E] bool, those that are looked at; the others stay as they were last seen.
            fresh: [R, E] bool, those that show the first screen of an episode: nothing has changed there.
        """
        counts = np.empty(chosen.size, dtype=np.int64)
        n = _changes(
            screens.view(np.uint64), self.seen.view(np.uint64), screens, self.seen, self.crop.top, self.crop.stride,
            self.foreground, chosen, fresh, self._columns, self._values, counts,
        )  # fmt: skip
        return Look(self._columns[:n].copy(), self._values[:n].copy(), counts)


@compiled(
    "uint64[:, :, :, ::1]", "uint64[:, :, :, ::1]", "uint8[:, :, :, ::1]", "uint8[:, :, :, ::1]", "int64", "int64",
    "int8[::1]", "boolean[:, ::1]", "boolean[:, ::1]", "int32[::1]", "int8[::1]", "int64[::1]", returns="int64",
)  # fmt: skip
def _changes(now, seen, now_levels, seen_levels, top, stride, foreground, chosen, fresh, columns, values, counts):  # type: ignore[no-untyped-def]
    """Fill columns, values and counts, and make `seen` what is `now`, rows from `top` on. Returns how many there are.

    Few pixels change. So rows are compared first, and eight levels at a time; what is in front of the background is
    asked of those few alone.
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
