"""The R stacked learners of a run: their seeds, and settings that differ between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Learners:
    """R learners.

    Attributes:
        seeds: [R] seed of each learner; not necessarily distinct.
        own: values [R] of each learner by dotted config key, such as `optimizer.learning_rate`.
    """

    seeds: Sequence[int]
    own: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seeds)

    def __iter__(self) -> Iterator[int]:
        return iter(self.seeds)

    def values(self, key: str, shared: float) -> Tensor:
        """[R] float64: the value of a key for each learner; `shared` where learners do not differ."""
        return torch.tensor(list(self.own.get(key, [shared] * len(self))), dtype=torch.float64, device="cpu")
