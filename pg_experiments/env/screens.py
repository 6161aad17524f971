"""From an emulator's screens to what a policy sees of them: where something came, and where something went.

As in "Pong from Pixels" (Karpathy 2016): a part of the screen, every second pixel, 1 where there is anything in front
of the background and 0 elsewhere, and of that the difference to the screen before. Numbers of the axes: R seeds, E
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

    def of(self, screens: np.ndarray) -> np.ndarray:
        """[N, height, width] grey levels -> a view [N, h, w]."""
        return screens[:, self.top : self.bottom : self.stride, :: self.stride]

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
    """What changed on each of R × E screens since it was last looked at."""

    def __init__(self, shape: tuple[int, int, int, int], crop: Crop) -> None:
        R, E, h, w = shape
        self.foreground = crop.foreground
        self.seen = np.zeros(shape, dtype=np.uint8)  # [R, E, h, w] grey levels
        self._edges = np.arange(R * E + 1) * (h * w)
        self._before = (np.arange(R * E) - np.arange(R * E) // E) * (h * w)  # from screen · D to seed · D

    def look(self, cropped: np.ndarray, chosen: np.ndarray, fresh: np.ndarray) -> Look:
        """Look at some of the screens.

        Args:
            cropped: [R, E, h, w] grey levels.
            chosen: [R, E] bool, those that are looked at; the others stay as they were last seen.
            fresh: [R, E] bool, those of them that show the first screen of an episode: nothing has changed there.
        """
        changed = cropped != self.seen
        looked_at = chosen & ~fresh
        if not looked_at.all():
            changed[~looked_at] = False
        places = np.flatnonzero(changed)  # few, so what is in front of the background is asked of these alone
        values = self.foreground[cropped.reshape(-1)[places]] - self.foreground[self.seen.reshape(-1)[places]]
        places, values = places[values != 0], values[values != 0]
        if chosen.all():
            self.seen[:] = cropped
        else:
            self.seen[chosen] = cropped[chosen]
        starts = np.searchsorted(places, self._edges)
        columns = places - np.repeat(self._before, starts[1:] - starts[:-1])
        return Look(columns, values, starts)
