"""Puts all estimators side by side at one policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pg_experiments.baseline import Baseline, explained_variance
from pg_experiments.comparison.statistics import Estimate
from pg_experiments.estimators.catalogue import REINFORCE, UNBIASED, Catalogue, LeftOut, catalogue
from pg_experiments.estimators.drawing import draw
from pg_experiments.estimators.estimator import Description, Estimator
from pg_experiments.estimators.fitted_value import fitted_value
from pg_experiments.estimators.products import gradients, inner_products
from pg_experiments.estimators.snapshot import Snapshot
from pg_experiments.estimators.statistics import Measured, Products, SideBySide
from pg_experiments.returns.monte_carlo import reward_to_go
from pg_experiments.support.allocation import return_freed_blocks
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseSteps

USUAL_BATCH, FEWEST = 8, 4  # episodes in a batch, where the run has no number or a smaller one
LEAST, USUAL = 10, 20  # batches: with fewer intervals say little; at least where the size of a batch is not given


class Progress(Protocol):
    """Shows which part is in progress."""

    def begin(self, name: str, total: int, unit: str) -> None:
        """Begins the next part, which has `total` of a unit."""

    def done(self, count: int) -> None:
        """Sets how many of the part are done."""


class Silent:
    """Shows nothing."""

    def begin(self, name: str, total: int, unit: str) -> None:
        """Does nothing."""

    def done(self, count: int) -> None:
        """Does nothing."""


class Row(NamedTuple):
    """An estimator and what is known about it."""

    description: Description
    measured: Measured


@dataclass(frozen=True)
class Variances:
    """Estimators side by side.

    Attributes:
        title: which policy it is.
        settings: choices of the run that its gradient depends on.
        episodes: number of episodes that every estimator has seen.
        batch: number of episodes in a batch, over which baselines and normalisers are computed.
        mean_return: undiscounted mean return of these episodes.
        mean_length: mean number of steps of these episodes.
        signal: ‖E g‖² of the unbiased estimator, relative to its noise in the mean over all episodes.
        rows: one for each estimator, REINFORCE first.
        left_out: estimators that do not apply, with the reason.
        notes: sentences on where V(s) is from.
    """

    title: str
    settings: str
    episodes: int
    batch: int
    mean_return: float
    mean_length: float
    signal: Estimate
    rows: Sequence[Row]
    left_out: Sequence[LeftOut]
    notes: Sequence[str]

    def __getitem__(self, name: str) -> Measured:
        """What is known about the estimator with this name. Raises KeyError."""
        return {row.description.name: row.measured for row in self.rows}[name]


def batch_size(snapshot: Snapshot, episodes: int, given: int | None) -> int:
    """The number of episodes in a batch: the given one, or that of the run, or 8.

    Raises:
        UserError: the episodes cannot be divided into at least ten such batches.
    """
    if episodes < 2 * LEAST:
        raise UserError(
            f"episodes={episodes}: a variance is that of many episodes, in at least {LEAST} batches of at least 2; the "
            f"nearest is {2 * LEAST}"
        )
    size = given
    if size is None:
        of_run = snapshot.config.collect.episodes_per_batch or USUAL_BATCH
        size = min(max(FEWEST, of_run), max(2, episodes // USUAL))
        while episodes % size and size > 2:
            size -= 1
    if size < 2:
        raise UserError(f"batch={size}: baselines are computed from other episodes of a batch; the nearest is 2")
    if episodes // size < LEAST:
        raise UserError(
            f"episodes={episodes} with batch={size}: expected at least {LEAST} batches; the nearest is "
            f"batch={episodes // LEAST}, or episodes={LEAST * size}"
        )
    if episodes % size:
        raise UserError(
            f"episodes={episodes}: expected whole batches of {size} episodes; the nearest is "
            f"{max(LEAST, round(episodes / size)) * size}"
        )
    return size


def measure(snapshot: Snapshot, episodes: int, batch: int | None, progress: Progress) -> Variances:
    """Draws episodes and puts all estimators side by side.

    Args:
        snapshot: the policy.
        episodes: number of episodes.
        batch: number of episodes in a batch; None: as `batch_size` chooses.
        progress: is told how far it is.

    Raises:
        UserError: the numbers do not fit, or a gradient is not finite.
    """
    size = batch_size(snapshot, episodes, batch)
    return_freed_blocks()
    discounts = {1.0, snapshot.discount} - ({snapshot.discount} if snapshot.value is not None else set())
    count = episodes // size
    to_fit = count // 2 if discounts else 0
    progress.begin("drawing", (count + to_fit) * size, "episodes")
    batches, others = draw(snapshot, (count, to_fit), size, progress.done)
    values: dict[float, Baseline] = {}
    if snapshot.value is not None:
        values[snapshot.discount] = snapshot.value
    for discount in sorted(discounts):
        progress.begin(f"V(s) with a discount of {discount:g}", 1, "fit")
        values[discount] = fitted_value(snapshot, others, discount)
    del others
    is_sparse = isinstance(batches[0].observations, SparseSteps)
    found = catalogue(snapshot, values, is_sparse=is_sparse)
    products = _all_products(snapshot, found, batches, progress)
    side_by_side = SideBySide(products[REINFORCE].own, products[UNBIASED].own, size)
    described = [each.description for each in found.estimators]
    rows = [
        Row(
            each,
            side_by_side.measure(
                products[each.name], is_unbiased=each.is_unbiased, normalises=bool(each.normalization)
            ),
        )
        for each in described
    ]
    return Variances(
        title=snapshot.title,
        settings=snapshot.settings,
        episodes=episodes,
        batch=size,
        mean_return=float(torch.cat([each.episodic_returns for each in batches]).double().mean()),
        mean_length=float(torch.cat([each.lengths for each in batches]).double().mean()),
        signal=side_by_side.signal,
        rows=rows,
        left_out=found.left_out,
        notes=_notes(snapshot, values, batches),
    )


def _all_products(
    snapshot: Snapshot, found: Catalogue, batches: Sequence[Rollout], progress: Progress
) -> dict[str, Products]:
    """The inner products of each estimator by its name. Gradients of two estimators are in memory at a time."""
    unbiased: Tensor | None = None
    products: dict[str, Products] = {}
    by_name = {each.description.name: each for each in found.estimators}
    progress.begin("gradients", len(by_name), "estimators")
    for name in sorted(by_name, key=lambda name: name != UNBIASED):
        products[name], own = _products(snapshot, by_name[name], batches, unbiased)
        unbiased = own if unbiased is None else unbiased
        del own  # so that it is not in memory beside the next one
        progress.done(len(products))
    return products


def _products(
    snapshot: Snapshot, estimator: Estimator, batches: Sequence[Rollout], unbiased: Tensor | None
) -> tuple[Products, Tensor]:
    """Inner products with itself and with the unbiased estimator (None: this one), and the gradients [G, P]."""
    own = gradients(snapshot.agent, estimator, batches)
    of_itself = inner_products(own, own)
    return Products(of_itself, of_itself if unbiased is None else inner_products(own, unbiased)), own


def _notes(snapshot: Snapshot, values: Mapping[float, Baseline], batches: Sequence[Rollout]) -> list[str]:
    """Where V(s) is from, and how well it predicts the returns of these episodes."""
    notes = []
    for discount, value in values.items():
        gamma = torch.tensor([discount], dtype=torch.float64)
        shares = [
            explained_variance(value.state_values(batch), reward_to_go(batch, None, gamma), batch.mask)
            for batch in batches
        ]
        if value is snapshot.value:
            source = "the run's own"
        else:
            why = f", as {snapshot.no_value}" if snapshot.no_value and discount == snapshot.discount else ""
            source = f"fitted to half as many other episodes{why}"
        share = float(torch.cat(shares).nanmean())
        explained = f"it explains {share:.0%} of the variance of returns"
        notes.append(f"V(s) with a discount of {discount:g}: {source}; {explained}.")
    return notes
