"""The R stacked learners of a run: a seed each, and values of their own where they differ from the shared config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Learners:
    """R learners.

    Attributes:
        seeds: [R], one each; two learners may share one.
        own: a dotted key of the config, such as `optimizer.learning_rate`, and its value for each learner.
    """

    seeds: Sequence[int]
    own: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seeds)

    def __iter__(self) -> Iterator[int]:
        return iter(self.seeds)

    def values(self, key: str, shared: float) -> Tensor:
        """[R] float64: each learner's value of a key; `shared` is the config's."""
        return torch.tensor(list(self.own.get(key, [shared] * len(self))), dtype=torch.float64, device="cpu")
