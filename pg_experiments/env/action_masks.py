"""Masks of actions that an environment gives with its observations: `info["action_mask"]`, as Taxi-v4 has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from pg_experiments.support.errors import UserError

KEY = "action_mask"  # in the infos of an environment, and of a vector environment


class ActionMasks:
    """The current masks of N environments; none where the infos have none."""

    def __init__(self, space: gymnasium.Space[Any], count: int, label: str) -> None:
        """`space` is the action space of one environment, `label` the environment's name in messages."""
        self.space = space
        self.count = count
        self.label = label
        self.masks: np.ndarray | None = None  # [N, A] bool: True for an action that is allowed

    def update(self, index: int, info: Mapping[str, Any], *, is_first: bool = False, is_over: bool = False) -> None:
        """Sets the mask of an environment.

        Args:
            index: index of the environment.
            info: what its `reset` or `step` returned.
            is_first: whether it was `reset`.
            is_over: whether the episode has ended, so that the mask is not used.

        Raises:
            UserError: the mask is missing although others were given, has another shape, or allows no action.
        """
        if KEY not in info and (self.masks is None or is_over):
            return
        mask = np.asarray(info.get(KEY, ()), dtype=np.bool_)
        if not isinstance(self.space, Discrete):
            self._refuse(f"with actions {type(self.space).__name__}; supported are masks of Discrete actions")
        if mask.shape != (self.space.n,):
            given = f"has the shape {mask.shape}" if KEY in info else "is missing"
            self._refuse(f"{given}; expected ({self.space.n},), an entry for each action, with every reset and step")
        if not (mask.any() or is_over):
            self._refuse("allows no action; expected at least one, unless the episode has ended")
        if self.masks is None and not is_first:
            self._refuse("is given by `step` but was not by `reset`; expected with every reset and step")
        if self.masks is None:
            self.masks = np.ones((self.count, len(mask)), dtype=np.bool_)
        self.masks[index] = mask

    def infos(self) -> dict[str, Any]:
        """The infos of a vector environment: a copy of the masks, if there are any."""
        return {} if self.masks is None else {KEY: self.masks.copy()}

    def _refuse(self, what: str) -> NoReturn:
        raise UserError(f'{self.label}: info["{KEY}"] {what}')


def given_masks(action_mask: np.ndarray | None, count: int, actions: int) -> Tensor | None:
    """The masks [1, N, A] bool of one learner, for a mask [A] or masks [N, A] that a user gives; None for none.

    Raises:
        ValueError: they are not `count` masks of `actions` actions, or allow no action.
    """
    if action_mask is None:
        return None
    masks = np.asarray(action_mask, dtype=np.bool_)
    masks = masks[None] if masks.ndim == 1 else masks
    if masks.shape != (count, actions) or not masks.any(1).all():
        raise ValueError(
            f"action_mask of shape {np.shape(action_mask)}: expected ({count}, {actions}), with an allowed action for "
            "each observation"
        )
    return torch.from_numpy(masks)[None]
