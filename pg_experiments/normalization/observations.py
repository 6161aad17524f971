"""Normalisation of observations: a wrapper around the networks of policy and critic, which share its numbers.

A rollout keeps the observations of the environment. The numbers do not change within a batch, so that acting, the
log-probabilities before the update and all epochs use the same, and they are a part of the policy's state.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.normalization.moments import Moments
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.batch_statistics import OfBatch, WholeBatch, of_batch
from pg_experiments.tensors.networks import (
    BoundNetwork,
    CompilableDense,
    DenseForm,
    FromFeatures,
    Layered,
    Network,
    Observations,
    Pullback,
    Repeatable,
    WithFeatures,
    with_pullback,
)
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import Sequences, SequenceSteps
from pg_experiments.tensors.wrapped import WrappedNetwork

SMALLEST = 1e-8  # added to the variance, as in Gymnasium and Stable-Baselines3


class Affine(NamedTuple):
    """(x − shift) · factor, limited to ±limit."""

    shift: Tensor  # [R, 1, *shape] float32
    factor: Tensor  # [R, 1, *shape] float32
    limit: float

    def __call__(self, observations: Tensor) -> Tensor:
        """[R, N, *shape] -> the same shape."""
        scaled = observations.sub(self.shift).mul_(self.factor)
        return scaled if self.limit == float("inf") else scaled.clamp_(-self.limit, self.limit)

    def of(self, learners: Tensor | None) -> Affine:
        """That of the learners with these indices; None: all learners."""
        return self if learners is None else Affine(self.shift[learners], self.factor[learners], self.limit)


class Running(nn.Module):
    """Standardisation by the mean and the variance of all observations so far; none before the first batch."""

    def __init__(self, learners: int, space: Any, limit: float) -> None:
        """`space` is a Gymnasium `Box`."""
        super().__init__()
        self.moments = Moments(learners, space.shape)
        self.limit = limit
        self._affine: Affine | None = None
        self.register_load_state_dict_post_hook(lambda *_: self._changed())  # type: ignore[no-untyped-call]

    @property
    def affine(self) -> Affine:
        """The numbers of all learners, until the next batch is added."""
        if self._affine is None:
            begun = self.moments.count.view(-1, *(1 for _ in self.moments.mean.shape[1:])) > 0
            factor = torch.where(begun, (self.moments.variance + SMALLEST).rsqrt(), 1.0)
            self._affine = Affine(self.moments.mean.float()[:, None], factor.float()[:, None], self.limit)
        return self._affine

    def add(self, rollout: Rollout, learners: Sequence[int]) -> None:
        """Merges the observations before each action of a batch, of these learners alone."""
        observations, mask, indices = rollout.observations, rollout.mask, rollout.learners
        if isinstance(observations, SequenceSteps):
            observations = observations.observations
        assert isinstance(observations, Tensor), "checked by `validate`"
        chosen = [place for place, learner in enumerate(indices.tolist()) if learner in learners]
        if len(chosen) < len(indices):
            observations, mask, indices = observations[:, chosen], mask[:, chosen], indices[chosen]
        self.moments.add(observations, mask, indices)
        self._changed()

    def choose(self, learners: Tensor) -> None:
        """As `KeepsLearners.choose`."""
        self._changed()

    def _changed(self) -> None:
        self._affine = None

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._changed()  # moved to another device
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class Bounds(nn.Module):
    """Scaling from the bounds of the space to [0, 1]. There is nothing to save."""

    def __init__(self, learners: int, space: Any, limit: float) -> None:
        """`space` is a Gymnasium `Box`. Raises UserError where it has a bound that is not finite."""
        super().__init__()
        low, high = (torch.as_tensor(np.asarray(bound, dtype=np.float64)) for bound in (space.low, space.high))
        width = high - low
        if not (np.isfinite(space.low).all() and np.isfinite(space.high).all() and width.float().isfinite().all()):
            raise UserError(
                "normalization.observations=bounds: the environment's observations have bounds that are not finite; "
                "the nearest is running"
            )
        # a number whose bounds are equal stays 0
        factor = torch.where(width > 0, 1 / width.clamp(min=1e-300), 0.0)
        shift, factor = (x.float().expand(learners, 1, *x.shape).clone() for x in (low, factor))
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("factor", factor, persistent=False)

    @property
    def affine(self) -> Affine:
        """The numbers of all learners."""
        return Affine(self.get_buffer("shift"), self.get_buffer("factor"), float("inf"))

    def add(self, rollout: Rollout, learners: Sequence[int]) -> None:
        """Does nothing, as the bounds do not change."""


@dataclass(frozen=True)
class BoundNormalized:
    """The networks of some learners, and what their observations are normalised with."""

    network: BoundNetwork
    affine: Affine

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """The network's outputs for the normalised observations."""
        return self.network(self._normalized(observations), noise)

    def with_pullback(self, observations: Observations, noise: Tensor | None) -> tuple[Tensor, Pullback]:
        """As `Differentiable.with_pullback`."""
        return with_pullback(self.network, self._normalized(observations), noise)

    def of_batch(self, batch: WholeBatch) -> OfBatch:
        """As `NormalizesByBatch.of_batch`, for a network that is."""
        return of_batch(self.network, batch._replace(observations=self._normalized(batch.observations)))

    def features(self, observations: Observations) -> Tensor:
        """As `WithFeatures.features`."""
        assert isinstance(self.network, WithFeatures), "checked by those who share layers"
        return self.network.features(self._normalized(observations))

    def hidden(self, observations: Observations) -> Iterator[tuple[Tensor, Tensor]]:
        """As `Layered.hidden`; nothing for a network that cannot be inspected."""
        if isinstance(self.network, Layered):
            yield from self.network.hidden(self._normalized(observations))

    def _normalized(self, observations: Observations) -> Observations:
        if isinstance(observations, Sequences):
            return observations.changed(self.affine.__call__)
        assert isinstance(observations, Tensor), "checked by `validate`"
        return self.affine(observations)


@dataclass(frozen=True)
class RepeatableNormalized(BoundNormalized):
    """The same around a network that can be repeated."""

    def repeated(self, times: int) -> BoundNormalized:
        """As `Repeatable.repeated`."""
        assert isinstance(self.network, Repeatable)
        shift, factor = (x.repeat_interleave(times, 0) for x in self.affine[:2])
        return RepeatableNormalized(self.network.repeated(times), Affine(shift, factor, self.affine.limit))


class FromFeaturesNormalized(BoundNormalized):
    """The same around a network whose features are used twice at the cost of one evaluation."""

    def from_features(self, features: Tensor) -> Tensor:
        """As `FromFeatures.from_features`."""
        assert isinstance(self.network, FromFeatures), "checked by `NormalizedNetwork.bind`"
        return self.network.from_features(features)


class NormalizedNetwork(WrappedNetwork):
    """A network that is given normalised observations. It has a compiled form where the network has one."""

    def __init__(self, network: Network, scale: Running | Bounds, *, owner: bool) -> None:
        """`owner` is False for a network that shares the scale of another, which saves it."""
        super().__init__(network)
        self.shared = [scale]  # in a list, which `nn.Module` does not search
        if owner:
            self.scale = scale

    def bind(self, learners: Tensor | None = None) -> BoundNormalized:
        """The networks and numbers of the learners with indices [R]; None: all learners."""
        network = self.network.bind(learners)
        affine = self.shared[0].affine.of(learners)
        if isinstance(network, Repeatable):
            return RepeatableNormalized(network, affine)
        return (FromFeaturesNormalized if isinstance(network, FromFeatures) else BoundNormalized)(network, affine)

    def dense_form(self, learners: Tensor) -> DenseForm:
        """That of the network, with what observations are normalised with."""
        assert isinstance(self.network, CompilableDense), "by `has_dense_form`"
        shift, factor, limit = self.shared[0].affine.of(learners)
        rows = [np.ascontiguousarray(x.flatten(1).numpy()) for x in (shift, factor)]
        return self.network.dense_form(learners)._replace(shift=rows[0], factor=rows[1], limit=limit)


def add_observations(network: Network, rollout: Rollout, broken: Container[int]) -> None:
    """Merges a batch, from which has been learned, into what the network normalises with.

    Args:
        network: a policy's network; one that does not normalise stays as it is.
        rollout: the batch.
        broken: indices of learners whose numbers must not change.
    """
    if isinstance(network, NormalizedNetwork):
        learners = [learner for learner in rollout.learners.tolist() if learner not in broken]
        network.shared[0].add(rollout, learners)
