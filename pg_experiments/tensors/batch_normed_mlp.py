"""R perceptrons with batch normalisation (Ioffe & Szegedy 2015) of their hidden layers.

A hidden layer is linear map, normalisation, dropout, activation, in this order. With running statistics, the
normalisation is a linear map of each unit, so that the whole is a perceptron with other weights, which acts as fast as
one, in compiled loops, too. With the statistics of a batch it is differentiated automatically.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pg_experiments.tensors.batch_statistics import OfBatch, WholeBatch
from pg_experiments.tensors.dense_form import Layer, dense_form_of
from pg_experiments.tensors.networks import DenseForm
from pg_experiments.tensors.normed_mlp import EPSILON, NormedMLP
from pg_experiments.tensors.repeated import repeated, sum_in_order
from pg_experiments.tensors.stacked import BoundMLP, StackedMLP, flat, perceptron

MOMENTUM = 0.1  # weight of the newest batch in the running statistics; torch's default


@dataclass(frozen=True, kw_only=True)
class BoundBatchNormedMLP(BoundMLP):
    """The perceptrons of R learners; the running statistics are a part of their weights."""

    linear: BoundMLP  # without normalisation
    gain: Tensor  # [R, L, H]
    offset: Tensor  # [R, L, H]

    def of_batch(self, batch: WholeBatch) -> OfBatch:
        """As `NormalizesByBatch.of_batch`: units are normalised with mean and variance of the batch's valid steps.

        (x − mean) / √(variance + ε) · gain + offset, with the variance of the population.
        """
        R, N = batch.valid.shape
        times = N // batch.block
        observations = flat(batch.observations)
        assert isinstance(observations, Tensor), "images of differences are refused"
        x, valid = (rows.reshape(R * times, batch.block, -1) for rows in (observations, batch.valid))
        linear, activation = self.linear.repeated(times), self.activation
        counts = batch.valid.sum(1).clamp(min=1)[:, None]
        noise = None if batch.noise is None else batch.noise.reshape(R * times, batch.block, *batch.noise.shape[2:])

        def mean(units: Tensor) -> Tensor:  # [R · times, block, H] -> [R, H]
            return sum_in_order(units.sum(1), times) / counts

        means, variances = [], []
        for index, layer in enumerate(linear.layers[:-1]):
            units = torch.where(valid, perceptron(x, [layer], activation), 0.0)
            means.append(mean(units))
            centred = torch.where(valid, units - repeated(means[-1], times)[:, None], 0.0)
            variances.append(mean(centred.square()))
            factor = self.gain[:, index] * (variances[-1] + EPSILON).rsqrt()
            offset = repeated(self.offset[:, index], times)[:, None]
            before = torch.addcmul(offset, centred, repeated(factor, times)[:, None])
            if noise is not None:
                before = before * linear.scale * noise[..., index, :]
            x = getattr(nn.functional, activation)(before)
        outputs = perceptron(x, linear.layers[-1:], activation).reshape(R, N, -1)
        return OfBatch(outputs, *(torch.stack(each, 1).detach() for each in (means, variances)))


class BatchNormedMLP(NormedMLP):
    """R perceptrons with hidden layers that are normalised over steps. Running means begin at 0, variances at 1."""

    mean: Tensor  # [R, L, H]
    variance: Tensor  # [R, L, H], unbiased
    batches: Tensor  # [R] batches merged so far

    def __init__(self, network: StackedMLP) -> None:
        """As `NormedMLP`."""
        super().__init__(network)
        self.register_buffer("mean", torch.zeros_like(self.offset))
        self.register_buffer("variance", torch.ones_like(self.gain))
        self.register_buffer("batches", torch.zeros(len(self.gain)))

    def bind(self, learners: Tensor | None = None) -> BoundBatchNormedMLP:  # type: ignore[override]
        """The perceptrons of the learners with indices [R] (None: all), with the graph to the stacked parameters."""
        linear = self.network.bind(learners)
        statistics = (self.gain, self.offset, self.mean, self.variance)
        gain, offset, mean, variance = (each if learners is None else each[learners] for each in statistics)
        layers = [
            _normalized(layer, gain[:, index], offset[:, index], mean[:, index], variance[:, index])
            for index, layer in enumerate(linear.layers[:-1])
        ]
        weight, bias = linear.layers[-1]
        layers.append((weight, torch.zeros_like(weight[:, :1]) if bias is None else bias))  # all have biases, or none
        return BoundBatchNormedMLP(layers, linear.activation, linear.scale, linear=linear, gain=gain, offset=offset)

    def dense_form(self, learners: Tensor) -> DenseForm:
        """As `StackedMLP.dense_form`, with the running statistics in the weights."""
        with torch.no_grad():
            layers = self.bind(learners).layers
        return dense_form_of(layers, self.network.activation, self.network.drop_below[learners])

    @torch.no_grad()
    def merge(self, learners: Tensor, means: Tensor, variances: Tensor, counts: Tensor) -> None:
        """As `WithRunningStatistics.merge`.

        As in `torch.nn.BatchNorm1d`, running ← (1 − m) running + m of_batch, with the unbiased variance of the batch;
        m = max(0.1, 1 / k) for the k-th batch. The first batches count equally, so that the values before them have no
        weight. A variance of one step is 0. A learner without a step keeps its statistics.
        """
        has_steps = counts > 0
        learners, means, variances, counts = (each[has_steps] for each in (learners, means, variances, counts))
        unbiased = variances * (counts / (counts - 1).clamp(min=1))[:, None, None]
        self.batches[learners] += 1
        weight = (1 / self.batches[learners]).clamp(min=MOMENTUM)[:, None, None].to(means.dtype)
        self.mean[learners] = torch.lerp(self.mean[learners], means, weight)
        self.variance[learners] = torch.lerp(self.variance[learners], unbiased, weight)


def _normalized(layer: Layer, gain: Tensor, offset: Tensor, mean: Tensor, variance: Tensor) -> Layer:
    """A linear map followed by its normalisation, as one linear map. Gain, offset and statistics are [R, H]."""
    weight, bias = layer
    factor = (gain * (variance + EPSILON).rsqrt())[:, None]
    shift = -mean[:, None] if bias is None else bias - mean[:, None]
    return weight * factor, shift * factor + offset[:, None]
