"""Checks of what an actor-critic is combined with."""

from __future__ import annotations

import math
from typing import Any

from pg_experiments.support.errors import UserError

NEAR = 100_000  # distance up to which the nearest valid number is searched


def refuse_without_values(name: str, config: Any) -> None:
    """Raises UserError where there is no V(s), or V(s) cannot be trained with the policy."""
    if not config.baseline.estimates_values:
        raise UserError(f"algorithm={name}: needs a critic, which is V(s); the nearest is baseline=value")
    if config.baseline.learning_rate is None and config.baseline.steps > 1:
        raise UserError(
            f"baseline.steps={config.baseline.steps}: V(s) and the policy share one gradient step where "
            "baseline.learning_rate=null; give V(s) a learning rate, or the nearest is 1"
        )
    if config.normalization.changes_returns:
        raise UserError(
            f"algorithm={name} with normalization.returns={config.normalization.returns}: the advantages of an "
            "actor-critic are in the environment's units; use normalization=advantages or normalization=none"
        )


def refuse_uneven_minibatches(count: int, config: Any) -> None:
    """Raises UserError where the steps of a batch are too few for its mini-batches, or cannot be divided evenly."""
    steps = config.collect.steps_per_batch
    if steps is None or steps % count == 0:
        return
    nearest = _nearest_divisor(steps, count)
    raise UserError(
        f"algorithm.num_minibatches={count}: does not divide the {steps} steps of a batch (collect.num_envs × "
        f"collect.num_steps) evenly; the nearest is {nearest}"
    )


def refuse_uneven_workers(workers: int, config: Any) -> None:
    """Raises UserError where the columns of a batch cannot be divided among the workers."""
    key = "collect.num_envs" if config.collect.steps_per_batch is not None else "collect.episodes"
    columns = getattr(config.collect, key.partition(".")[2], None)
    if columns is None:
        raise UserError("algorithm=a3c: divides the environments among workers; the nearest is collect=steps")
    if columns % workers:
        raise UserError(
            f"algorithm.workers={workers}: does not divide {key}={columns} evenly; the nearest is "
            f"{_nearest_divisor(columns, workers)}"
        )


def _nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of a number that is nearest to the wanted one, or a common one where none is near."""
    start = min(wanted, number)
    near = (candidate for distance in range(min(start, NEAR)) for candidate in (start - distance, start + distance))
    return next((candidate for candidate in near if number % candidate == 0), math.gcd(wanted, number))
