"""Fixed rules for when to show a proposal, which a learned policy is compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

from pg_suggestions.environment import ACCEPTED, REJECTED
from pg_suggestions.features import FEATURES
from pg_suggestions.proposals import Proposals

Rule = Callable[[NDArray[np.float32]], NDArray[np.bool_]]  # features [N, D] -> which of them to show [N]

THRESHOLD = -REJECTED / (ACCEPTED - REJECTED)  # 25 %: above it, showing earns more than hiding


def always(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Show every proposal."""
    return np.ones(len(features), np.bool_)


def never(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Show no proposal."""
    return np.zeros(len(features), np.bool_)


def calibrated(training: Proposals) -> Rule:
    """Show proposals whose probability under the model, once calibrated, is above the threshold.

    The calibration is an isotonic regression: of all non-decreasing functions of the model's probability the one that
    is nearest to what was accepted in the training files.
    """
    column = FEATURES.index("probability")
    order = np.argsort(training.features[:, column], kind="stable")
    probabilities = training.features[order, column]
    acceptance = isotonic_regression(training.accepted[order].astype(np.float64)).x
    return lambda features: np.interp(features[:, column], probabilities, acceptance) > THRESHOLD


def logistic(training: Proposals, iterations: int = 6) -> Rule:
    """Show proposals that a logistic regression on all features accepts with a probability above the threshold.

    It is fitted by Newton's method. The features of a one-hot group add up to 1, so a small ridge penalty makes the
    solution unique.
    """
    inputs, accepted = _with_constant(training.features), training.accepted.astype(np.float64)
    ridge = np.eye(inputs.shape[1])
    weights = np.zeros(inputs.shape[1])
    for _ in range(iterations):
        predicted = expit(inputs @ weights)
        gradient = inputs.T @ (predicted - accepted) + ridge @ weights
        hessian = (inputs.T * (predicted * (1 - predicted))) @ inputs + ridge
        weights = weights - np.linalg.solve(hessian, gradient)
    return lambda features: expit(_with_constant(features) @ weights) > THRESHOLD


def _with_constant(features: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(features)), features])
