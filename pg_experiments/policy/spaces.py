"""Action spaces: how messages name them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


def is_continuous(space: gymnasium.Space[Any]) -> bool:
    """Whether actions are vectors of real numbers."""
    return isinstance(space, gymnasium.spaces.Box) and np.issubdtype(space.dtype, np.floating)


def describe(space: gymnasium.Space[Any]) -> str:
    """A description of a space for messages."""
    if is_continuous(space):
        return f"continuous, of shape {space.shape}"
    return type(space).__name__
