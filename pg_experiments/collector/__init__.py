"""Where policy and environment meet: playing one batch."""

from typing import Protocol

import numpy as np

from pg_experiments.collector.arcade import ArcadeCollector
from pg_experiments.collector.episodes import EpisodeCollector
from pg_experiments.rollout import Rollout

__all__ = ["ArcadeCollector", "Collector", "EpisodeCollector"]


class Collector(Protocol):
    """What every collector offers."""

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Play a batch of the active learners.

        Args:
            update: index of the batch, from 0; with the seeds it determines every random number.
            active: [R] the learners that play, by index. The environments of the others stand still.
        """
