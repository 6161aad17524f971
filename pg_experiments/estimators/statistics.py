"""Variance, bias and signal-to-noise ratio of gradient estimators, from inner products of their gradients.

A replicate is the gradient of one batch of B episodes, the mean over them. Batches are independent, also where a
baseline or a normaliser of an episode depends on the other episodes of its batch. For G replicates x_b of an estimator
and y_b of another one, everything follows from the G × G inner products ⟨x_b, y_c⟩. Pairs b ≠ c have the mean
⟨E x, E y⟩, so their average estimates it without the bias that the noise of a mean adds to its squared length.

Intervals are those of a bootstrap over batches. In a resample, only pairs of different batches count as pairs: two
copies of one batch would add its noise to the estimate of ⟨E x, E y⟩.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pg_experiments.comparison.statistics import Estimate
from pg_experiments.estimators.intervals import accelerated, expanded

RESAMPLES = 2000
ROUNDING = 1e-9  # square of a difference, relative to that of a gradient, which is only rounding


class Products(NamedTuple):
    """Inner products [G, G] of the gradients of G batches, float64."""

    own: np.ndarray  # ⟨a_b, a_c⟩ of the estimator
    with_unbiased: np.ndarray  # ⟨a_b, u_c⟩, u the unbiased estimator that biases are measured from


@dataclass(frozen=True)
class Measured:
    """What is known about an estimator a.

    Attributes:
        variance: trace of the covariance of the gradient, relative to that of plain REINFORCE.
        bias: ‖E a − E u‖ / ‖E u‖, without the part that noise adds; 0 where that is all.
        bias_in_errors: ‖mean a − mean u‖ in standard errors of this difference; about 1 without a bias.
        snr: ‖E a‖ divided by the standard deviation √tr Cov of one episode's gradient.
        episodes: number of episodes that give the signal-to-noise ratio of REINFORCE with one episode.
        length: projection of E a on E u, divided by ‖E u‖. An estimator that normalises has units of its own; it is
            divided by this length before `variance` and `bias` are computed, as a constant factor belongs to the
            learning rate.
    """

    variance: Estimate
    bias: Estimate
    bias_in_errors: float
    snr: Estimate
    episodes: Estimate
    length: float


class _Values(NamedTuple):
    """Statistics of Q samples of batches, [Q] each. NaN where noise hides the length of a mean."""

    variance: np.ndarray
    squared_bias: np.ndarray
    snr: np.ndarray
    episodes: np.ndarray
    length: np.ndarray


class SideBySide:
    """Statistics of estimators whose gradients come from the same G batches of B episodes."""

    def __init__(self, reinforce: np.ndarray, unbiased: np.ndarray, size: int) -> None:
        """Draws the resamples.

        Args:
            reinforce: [G, G] inner products of plain REINFORCE.
            unbiased: [G, G] inner products of the unbiased estimator.
            size: B.
        """
        self.batches = len(reinforce)
        self.reinforce, self.unbiased, self.size = reinforce, unbiased, size
        self._all = np.ones((1, self.batches))
        equal = np.full(self.batches, 1 / self.batches)
        self._resamples = np.random.default_rng(0).multinomial(self.batches, equal, size=RESAMPLES).astype(np.float64)
        self._without_one = 1 - np.eye(self.batches)

    @property
    def signal(self) -> Estimate:
        """‖E u‖² of the unbiased estimator, relative to its noise in the mean over all episodes."""
        found = [
            squared_mean(self.unbiased, counts) / (trace_of_covariance(self.unbiased, self._all, 1) / self.batches)
            for counts in (self._all, self._resamples)
        ]
        return expanded(float(found[0][0]), found[1], self.batches)

    def measure(self, products: Products, *, is_unbiased: bool, normalises: bool) -> Measured:
        """Measures an estimator.

        Args:
            products: its inner products.
            is_unbiased: whether it has the mean, and so the signal, of the unbiased one.
            normalises: whether its units are its own, so that it is divided by its length.
        """
        here, resampled, without_one = (
            self._values(products, counts, is_unbiased, normalises)
            for counts in (self._all, self._resamples, self._without_one)
        )

        def of(name: str) -> Estimate:
            return expanded(float(getattr(here, name)[0]), getattr(resampled, name), self.batches)

        length = float(here.length[0])
        squared = accelerated(float(here.squared_bias[0]), resampled.squared_bias, without_one.squared_bias)
        return Measured(
            variance=of("variance"),
            bias=Estimate(*(end if math.isnan(end) else math.sqrt(max(0.0, end)) for end in squared)),
            bias_in_errors=self._bias_in_errors(products, 1 / length if normalises else 1.0),
            snr=of("snr"),
            episodes=of("episodes"),
            length=length,
        )

    def _values(self, products: Products, counts: np.ndarray, is_unbiased: bool, normalises: bool) -> _Values:
        """The statistics of samples in which batch b occurs `counts[q, b]` times."""
        own, cross, unbiased = (squared_mean(each, counts) for each in (*products, self.unbiased))
        variance = trace_of_covariance(products.own, counts, self.size)
        of_reinforce = trace_of_covariance(self.reinforce, counts, self.size)
        factor = _ratio(unbiased, cross) if normalises else np.ones_like(own)
        signal = unbiased if is_unbiased else own
        distance = factor**2 * own - 2 * factor * cross + unbiased
        is_same = np.abs(distance) <= ROUNDING * np.trace(products.own) / self.batches
        return _Values(
            variance=factor**2 * _ratio(variance, of_reinforce),
            squared_bias=np.where(is_same, 0.0, _ratio(distance, unbiased)),
            snr=np.sqrt(np.maximum(0.0, _ratio(signal, variance))),
            episodes=_ratio(variance, of_reinforce) * (1.0 if is_unbiased else _ratio(np.maximum(unbiased, 0.0), own)),
            length=_ratio(cross, unbiased),
        )

    def _bias_in_errors(self, products: Products, factor: float) -> float:
        """‖mean of f a − u‖ / √(tr Cov / G); 0 where both are the same estimator."""
        difference = factor**2 * products.own + self.unbiased
        difference = difference - factor * (products.with_unbiased + products.with_unbiased.T)
        error = float(trace_of_covariance(difference, self._all, 1)[0]) / self.batches
        if not error > ROUNDING * np.trace(self.unbiased) / self.batches**2:
            return math.nan if math.isnan(error) else 0.0
        return math.sqrt(max(0.0, float(difference.mean())) / error)


def squared_mean(products: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """⟨E x, E y⟩, estimated without bias by the mean of ⟨x_b, y_c⟩ over b ≠ c.

    Args:
        products: [G, G] inner products.
        counts: [Q, G] how often each batch occurs in each of Q samples.

    Returns:
        [Q].
    """
    twice = counts**2
    pairs = ((counts @ products) * counts).sum(1) - twice @ np.diagonal(products)
    return np.asarray(pairs / (counts.sum(1) ** 2 - twice.sum(1)))


def trace_of_covariance(products: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """The trace of the covariance of one episode's gradient, B (E‖x‖² − ‖E x‖²) of batches of B episodes: [Q]."""
    squares = counts @ np.diagonal(products) / counts.sum(1)
    return np.asarray(size * (squares - squared_mean(products, counts)))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """NaN where the denominator is not above 0."""
    found: np.ndarray = np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
    return found
