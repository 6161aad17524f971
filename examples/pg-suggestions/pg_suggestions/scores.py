"""What a rule earns in episodes that share no proposal, with bootstrap intervals over episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pg_suggestions.corpus import Part
from pg_suggestions.environment import ACCEPTED, EPISODE_LENGTH, REJECTED
from pg_suggestions.proposals import proposals, stretches
from pg_suggestions.rules import Rule


class Estimate(NamedTuple):
    """A mean, or a ratio of means, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """What a rule did in each of E episodes, as [E] float64 arrays.

    Several rules, such as what several seeds have learned, are averaged episode by episode.
    """

    shown: NDArray[np.float64]
    accepted: NDArray[np.float64]  # of what was shown

    @property
    def rewards(self) -> NDArray[np.float64]:
        """The return of each episode."""
        return ACCEPTED * self.accepted + REJECTED * (self.shown - self.accepted)

    def reward(self) -> Estimate:
        """The mean return of an episode."""
        return _bootstrap(self.rewards)

    def number_shown(self) -> Estimate:
        """The mean number of proposals that are shown in an episode."""
        return _bootstrap(self.shown)

    def acceptance(self) -> Estimate:
        """The share of what is shown that is accepted; NaN where nothing is shown."""
        return _bootstrap(self.accepted, self.shown)

    def advantage(self, other: Scores) -> Estimate:
        """How much more an episode returns than with another rule, the same episodes compared."""
        return _bootstrap(self.rewards - other.rewards)


def score(*rules: Rule, part: Part = "evaluation", length: int = EPISODE_LENGTH) -> Scores:
    """Apply rules to all episodes of a part of the data that begin one after the other in their files."""
    made = proposals(part)
    steps = stretches(part, length, length)[:, None] + np.arange(length)  # [E, length]
    features, correct = made.features[steps.ravel()], made.accepted[steps]
    shown = np.stack([rule(features).reshape(steps.shape) for rule in rules])
    return Scores(shown.sum(2).mean(0), (shown & correct).sum(2).mean(0))


def _bootstrap(values: NDArray[np.float64], per: NDArray[np.float64] | None = None, resamples: int = 4000) -> Estimate:
    """The mean of values, or the ratio of their mean to another one, and its percentile interval over episodes."""
    per = np.ones_like(values) if per is None else per
    if not per.any():
        return Estimate(np.nan, np.nan, np.nan)
    drawn = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    ratios = values[drawn].sum(1) / per[drawn].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Estimate(float(values.sum() / per.sum()), float(low), float(high))
