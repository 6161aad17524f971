"""Screens of Atari games for convolutional policies: the last four in grey, 84 × 84 pixels (Mnih et al. 2015)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from gymnasium.spaces import Box

SIZE = 84  # pixels of a side
STACKED = 4  # screens of an observation, the last one last


class GreyScreens:
    """Observations of one game, from its screens one after the other."""

    space: Box = Box(0, 255, (STACKED, SIZE, SIZE), np.float32)

    def __init__(self, height: int, width: int) -> None:
        """Height and width of a screen in pixels."""
        self._rows, self._columns = shares(height, SIZE), shares(width, SIZE)
        self._last = np.zeros(self.space.shape, dtype=np.float32)

    def observe(self, screen: np.ndarray, *, fresh: bool) -> np.ndarray:
        """The observation [4, 84, 84] float32 of 0 to 255, after the next screen.

        Args:
            screen: [height, width] uint8 grey levels. A pixel of the observation is the rounded mean over the area that
                it covers, as with OpenCV's INTER_AREA.
            fresh: whether it is the first screen of an episode, which then counts four times.
        """
        small = np.rint(self._rows @ screen.astype(np.float32) @ self._columns.T)
        self._last[:-1] = small if fresh else self._last[1:]
        self._last[-1] = small
        return self._last.copy()


def shares(pixels: int, parts: int) -> np.ndarray:
    """[parts, pixels] float32: the share of each pixel of a line in each of `parts` intervals of equal length."""
    edges = np.linspace(0, pixels, parts + 1)
    pixel = np.arange(pixels)
    covered = [np.clip(np.minimum(pixel + 1, high) - np.maximum(pixel, low), 0, None) for low, high in pairwise(edges)]
    return (np.array(covered) * parts / pixels).astype(np.float32)
