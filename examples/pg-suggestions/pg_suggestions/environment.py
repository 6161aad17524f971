"""The environment: decide for one proposal after the other whether to show it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from pg_suggestions.corpus import Part
from pg_suggestions.features import FEATURES
from pg_suggestions.proposals import proposals, stretches

HIDE, SHOW = 0, 1
ACCEPTED, REJECTED = 0.75, -0.25  # rewards of what is shown: their mean is 0 where a quarter is accepted
EPISODE_LENGTH = 128

Observation = NDArray[np.float32]


def reward(action: int | np.int64, accepted: bool | np.bool_) -> float:
    """The reward of an action, given whether the proposal is the next token."""
    if action == HIDE:
        return 0.0
    return ACCEPTED if accepted else REJECTED


class Suggestions(gymnasium.Env[Observation, np.int64]):
    """Proposals for the next token of a source file, to be shown or hidden.

    Observation: the numbers of `features.FEATURES`, float32. Action: 0 hides the proposal, 1 shows it. Reward: +0.75
    for a proposal that is shown and is the next token, −0.25 for one that is shown and is not, 0 for one that is
    hidden. An episode is a stretch of a file, which the seed of `reset` chooses; its end is a truncation. What is
    shown does not change the file, so an action has no influence on later observations.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, part: Part = "training", length: int = EPISODE_LENGTH) -> None:
        """Make the proposals of a part of the data, or take those that this process has made before.

        Args:
            part: training or evaluation.
            length: proposals of an episode.

        Raises:
            ValueError: no file is long enough.
        """
        made = proposals(part)
        self.observation_space = Box(-1.0, 1.0, (len(FEATURES),))
        self.action_space = Discrete(2)
        self._observations, self._accepted = made.features, made.accepted
        self._starts = stretches(part, length)
        self._length = length
        self.position = self._end = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = int(self.np_random.choice(self._starts))
        self._end = self.position + self._length
        return self._observations[self.position].copy(), {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        earned = reward(action, self._accepted[self.position])
        self.position += 1
        return self._observations[self.position].copy(), earned, False, self.position == self._end, {}
