"""Preprocessing of screens: the difference between the foreground of consecutive screens.

As in "Pong from Pixels" (Karpathy 2016): the screen is cropped and subsampled, pixels are 1 in the foreground and 0 in
the background, and the previous screen is subtracted. Axes: R learners, E environments, h × w observed pixels,
D = h · w.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pg_experiments.tensors.compiled import compiled


@dataclass(frozen=True)
class Crop:
    """The observed pixels of a screen, and the grey levels of its background."""

    top: int  # first row
    bottom: int  # the row after the last
    stride: int  # of rows and columns
    background: tuple[int, ...]  # grey levels, 0 to 255

    def shape(self, width: int) -> tuple[int, int]:
        """h and w for screens that are `width` pixels wide."""
        return -(-(self.bottom - self.top) // self.stride), -(-width // self.stride)

    @property
    def foreground(self) -> np.ndarray:
        """[256] int8: 1 for each grey level of the foreground, 0 for those of the background."""
        levels = np.ones(256, dtype=np.int8)
        levels[list(self.background)] = 0
        return levels


class Look(NamedTuple):
    """Differences of R × E screens in sparse form: the non-zero numbers of D each."""

    columns: np.ndarray  # [n] int32: learner · D + pixel, screens in order
    values: np.ndarray  # [n] int8: 1 where a pixel became foreground, −1 where it became background
    counts: np.ndarray  # [R · E] int64: number of non-zero numbers of each screen


class Differences:
    """Computes the difference of each of R × E screens to the previous observation of the same environment."""

    def __init__(self, shape: tuple[int, int], width: int, crop: Crop) -> None:
        """`shape` is (R, E), `width` that of a screen in pixels, a multiple of 8. The crop's stride divides 8."""
        h, w = crop.shape(width)
        self.crop = crop
        self.foreground = crop.foreground
        self.seen = np.zeros((*shape, h, width), dtype=np.uint8)  # grey levels
        most = math.prod(shape) * h * w
        self._columns, self._values = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int8)

    def look(self, screens: np.ndarray, chosen: np.ndarray, fresh: np.ndarray) -> Look:
        """Observe some of the screens.

        Args:
            screens: [R, E, height, width] grey levels, C-contiguous.
            chosen: [R, E] bool, True for the screens that are observed.
            fresh: [R, E] bool, True for the first screen of an episode, whose difference is 0.
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
