"""A network with a state-independent log σ: a parameter that is appended to the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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
    WithFeatures,
    with_pullback,
)
from pg_experiments.tensors.wrapped import WrappedNetwork


@dataclass(frozen=True)
class BoundWithLogStd:
    """The network of R learners, and their parameters [R, 1, A]."""

    network: BoundNetwork
    log_std: Tensor

    def __call__(self, observations: Observations, noise: Tensor | None = None) -> Tensor:
        """The network's outputs, and behind them the parameters: [R, N, K + A]."""
        return self._appended(self.network(observations, noise))

    def with_pullback(self, observations: Observations, noise: Tensor | None) -> tuple[Tensor, Pullback] | None:
        """As `Differentiable.with_pullback`; None for parameters that are rows of others."""
        if not self.log_std.is_leaf:
            return None
        outputs, of_network = with_pullback(self.network, observations, noise)

        def pull_back(gradient: Tensor) -> None:
            K, parameter = outputs.shape[-1], self.log_std
            of_network(gradient[..., :K].contiguous())
            found = gradient[..., K:].sum(1, keepdim=True)
            parameter.grad = found if parameter.grad is None else parameter.grad + found

        return self._appended(outputs).detach(), pull_back

    def of_batch(self, batch: WholeBatch) -> OfBatch:
        """As `NormalizesByBatch.of_batch`, for a network that is."""
        found = of_batch(self.network, batch)
        return found._replace(outputs=self._appended(found.outputs))

    def features(self, observations: Observations) -> Tensor:
        """As `WithFeatures.features`."""
        assert isinstance(self.network, WithFeatures), "checked by those who share layers"
        return self.network.features(observations)

    def hidden(self, observations: Observations) -> Iterator[tuple[Tensor, Tensor]]:
        """As `Layered.hidden`; nothing for a network that cannot be inspected."""
        if isinstance(self.network, Layered):
            yield from self.network.hidden(observations)

    def _appended(self, outputs: Tensor) -> Tensor:
        return torch.cat([outputs, self.log_std.expand(*outputs.shape[:2], -1)], -1)


class BoundFromFeatures(BoundWithLogStd):
    """The same for a network whose features are used twice at the cost of one evaluation."""

    def from_features(self, features: Tensor) -> Tensor:
        """As `FromFeatures.from_features`."""
        assert isinstance(self.network, FromFeatures), "checked by `WithLogStd.bind`"
        return self._appended(self.network.from_features(features))


class WithLogStd(WrappedNetwork):
    """R networks with A parameters each, which begin at 0. There is a compiled form where the network has one."""

    def __init__(self, network: Network, learners: int, numbers: int) -> None:
        """`learners` is R, `numbers` is A."""
        super().__init__(network)
        self.log_std = nn.Parameter(torch.zeros(learners, 1, numbers))
        self.outputs = network.outputs + numbers

    def bind(self, learners: Tensor | None = None) -> BoundNetwork:
        """The networks and parameters of the learners with indices [R]; None: all learners."""
        every = learners is None or learners.tolist() == list(range(len(self.log_std)))
        network = self.network.bind(learners)
        bound = BoundFromFeatures if issubclass(type(network), FromFeatures) else BoundWithLogStd
        return bound(network, self.log_std if every else self.log_std[learners])

    def dense_form(self, learners: Tensor) -> DenseForm:
        """The perceptrons with A more outputs, whose weights are 0, and whose biases are the parameters."""
        assert isinstance(self.network, CompilableDense), "by `has_dense_form`"
        form = self.network.dense_form(learners)
        *_, inputs, outputs = form.widths.tolist()
        log_std = self.log_std.detach().numpy()[learners.numpy()][:, 0]  # [R, A]
        before, weights, biases = np.split(form.parameters, [-(inputs + 1) * outputs, -outputs], axis=1)
        no_weights = np.zeros((len(log_std), inputs * log_std.shape[1]), dtype=np.float32)
        widths = form.widths.copy()
        widths[-1] += log_std.shape[1]
        parameters = np.concatenate([before, weights, no_weights, biases, log_std], 1)
        return form._replace(parameters=parameters, widths=widths)
