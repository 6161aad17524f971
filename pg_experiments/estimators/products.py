"""Inner products of the gradients of many batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.estimators.estimator import Estimator
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseSteps
from pg_experiments.tensors.threads import one_thread

PART = 2**16  # parameters that are converted to float64 at once


def gradients(
    agent: ReinforceAgent, estimator: Estimator, batches: Sequence[Rollout], done: Callable[[], object] | None = None
) -> Tensor:
    """The gradients [G, P] of G batches.

    Args:
        agent: the agent of the policy.
        estimator: the estimator.
        batches: G batches of whole episodes.
        done: called after each batch.

    Raises:
        UserError: a gradient is not finite.
    """
    found: Tensor | None = None
    with one_thread(not isinstance(batches[0].observations, SparseSteps)):
        for row, rollout in enumerate(batches):
            gradient = estimator.gradient(agent, rollout)
            if found is None:  # written row by row, as those of Pong take 5 MiB each
                found = gradient.new_empty(len(batches), len(gradient))
            found[row] = gradient
            if done is not None:
                done()
    assert found is not None
    if not found.isfinite().all():
        raise UserError(f"{estimator.description.name}: a gradient is not a finite number")
    return found


def inner_products(first: Tensor, second: Tensor) -> np.ndarray:
    """⟨x_b, y_c⟩ in float64, [G, P] and [G, P] -> [G, G]; parameters are converted in parts."""
    total = torch.zeros(len(first), len(second), dtype=torch.float64)
    for x, y in zip(first.split(PART, 1), second.split(PART, 1), strict=True):
        total += x.double() @ y.double().T
    return np.asarray(total.numpy())
