"""Where policy and environment meet: playing one batch."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from pg_experiments.collect.arcade import ArcadeCollector
from pg_experiments.collect.episodes import EpisodeCollector
from pg_experiments.tensors.rollout import Rollout

__all__ = ["ArcadeCollector", "Collector", "EpisodeCollector"]


class Collector(Protocol):
    """What every collector offers."""

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Play a batch of the active learners.

        Args:
            update: index of the batch, from 0; with the seeds it determines every random number.
            active: [R] the learners that play, by index. The environments of the others stand still.
        """

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the games that go on from batch to batch."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. Raises UserError where that cannot be exact."""
