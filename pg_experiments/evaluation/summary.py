"""Statistics of evaluation episodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pg_experiments.comparison.statistics import Estimate, estimate, interquartile_mean
from pg_experiments.evaluation.episodes import Played


@dataclass(frozen=True)
class Numbers:
    """Statistics of the episodes of one seed, or of several seeds pooled."""

    mean: float
    std: float  # sample standard deviation over episodes; NaN for a single episode
    interquartile_mean: Estimate  # with an interval over episodes, resampled within each seed
    best: float
    worst: float
    mean_length: float  # steps

    @classmethod
    def of(cls, played: Sequence[Played]) -> Numbers:
        """Compute the statistics of the episodes of each seed, pooled."""
        returns = np.concatenate([one.returns for one in played])
        return cls(
            mean=float(returns.mean()),
            std=float(returns.std(ddof=1)) if len(returns) > 1 else math.nan,
            interquartile_mean=estimate(interquartile_mean, [one.returns for one in played]),
            best=float(returns.max()),
            worst=float(returns.min()),
            mean_length=float(np.concatenate([one.lengths for one in played]).mean()),
        )

    def as_data(self) -> dict[str, float | None]:
        """Plain data for JSON; null in place of NaN."""
        value, low, high = self.interquartile_mean
        data = {
            "mean": self.mean,
            "std": self.std,
            "interquartile_mean": value,
            "interquartile_mean_low": low,
            "interquartile_mean_high": high,
            "best": self.best,
            "worst": self.worst,
            "mean_length": self.mean_length,
        }
        return {name: None if math.isnan(number) else number for name, number in data.items()}


@dataclass(frozen=True)
class Way:
    """The evaluation of all seeds with one way of acting: greedy or sampling."""

    greedy: bool
    updates: Mapping[int, int]  # seed -> number of updates that produced its parameters
    played: Mapping[int, Played]  # seed -> its episodes

    @property
    def name(self) -> str:
        """The name in the table and in `evaluation.json`."""
        return "greedy" if self.greedy else "sampling"

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON: statistics of all seeds pooled, and of each seed with its raw episodes."""
        seeds = [
            {
                "seed": seed,
                "update": self.updates[seed],
                **Numbers.of([played]).as_data(),
                "returns": played.returns.tolist(),
                "lengths": played.lengths.tolist(),
            }
            for seed, played in self.played.items()
        ]
        return {"all": Numbers.of(list(self.played.values())).as_data(), "seeds": seeds}
