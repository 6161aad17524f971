"""From an emulator's screens to what a policy sees of them: where something came, and where something went.

As in "Pong from Pixels" (Karpathy 2016): a part of the screen, every second pixel, 1 where there is anything in front
of the background and 0 elsewhere, and of that the difference to the screen before. Axes: R seeds, E
environments, h × w pixels that are looked at, D = h · w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


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

    def rows(self, screens: np.ndarray) -> np.ndarray:
        """[N, height, width] grey levels -> a view [N, h, width]: whole rows, which are quickly copied and compared."""
        return screens[:, self.top : self.bottom : self.stride]

    @property
    def foreground(self) -> np.ndarray:
        """[256] int8: of each grey level, 1 for something in front of the background and 0 for nothing."""
        levels = np.ones(256, dtype=np.int8)
        levels[list(self.background)] = 0
        return levels


class Look(NamedTuple):
    """What changed on R × E screens: D numbers each, nearly all 0, as a list of those that are not."""

    columns: np.ndarray  # [n] int64: seed · D + pixel, screens in order
    values: np.ndarray  # [n] int8: 1 where something has come, −1 where something has gone
    starts: np.ndarray  # [R · E + 1] int64: where each screen's begin, and the end


class Differences:
    """What changed on each of R × E screens since it was last looked at.

    Few pixels do, so rows are compared eight levels at a time, and what is in front of the background is asked of
    those few alone.
    """

    def __init__(self, shape: tuple[int, int, int, int], crop: Crop) -> None:
        """`shape` is R, E, h and the width of a screen, a multiple of 8 as 8 is one of the crop's stride."""
        R, E, h, width = shape
        self.stride = crop.stride
        self.foreground = crop.foreground
        self.seen = np.zeros(shape, dtype=np.uint8)  # grey levels
        self._edges = np.arange(R * E + 1) * (h * width // crop.stride)
        self._before = self._edges[:-1] - np.arange(R * E) // E * self._edges[1]  # from screen · D to seed · D

    def look(self, rows: np.ndarray, chosen: np.ndarray, fresh: np.ndarray) -> Look:
        """Look at some of the screens.

        Args:
            rows: [R, E, h, width] grey levels.
            chosen: [R, E] bool, those that are looked at; the others stay as they were last seen.
            fresh: [R, E] bool, those of them that show the first screen of an episode: nothing has changed there.
        """
        now, before = rows.view(np.uint64), self.seen.view(np.uint64)
        if fresh.any():
            self.seen[fresh] = rows[fresh]
        differs = now != before
        if not chosen.all():
            differs[~chosen] = False
        eights = differs.reshape(-1).nonzero()[0]
        came, went = now.reshape(-1)[eights], before.reshape(-1)[eights]
        before.reshape(-1)[eights] = came
        change = self.foreground[came.view(np.uint8)[:: self.stride]]
        change -= self.foreground[went.view(np.uint8)[:: self.stride]]
        found = change.nonzero()[0]
        of_eight = 8 // self.stride
        places = eights[found // of_eight] * of_eight + found % of_eight
        starts = places.searchsorted(self._edges)
        return Look(places - self._before.repeat(starts[1:] - starts[:-1]), change[found], starts)
