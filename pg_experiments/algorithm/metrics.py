"""Metrics that algorithms share, and how the causes of a failure are named."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_experiments.optimizer import OptimizerOption
from pg_experiments.support.errors import as_yaml
from pg_experiments.support.metric import Metric

LEARNING_RATE = Metric("learning_rate", "", "charts/learning_rate")
POLICY_LOSS = Metric("policy_loss", "", "losses/policy_loss")
ENTROPY = Metric("entropy", "nats", "losses/entropy")
POLICY_NORM = Metric("policy_gradient_norm", "", "gradients/policy_norm")


class Means:
    """Means of metrics over the mini-batches in which each of R learners took part."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: Tensor | None = None

    def add(self, measured: dict[str, Tensor], took_part: list[bool]) -> None:
        """Adds the metrics [R] of a mini-batch; those of learners that took no part are ignored."""
        counted = torch.tensor(took_part)
        self._counts = counted.float() if self._counts is None else self._counts + counted
        for name, values in measured.items():
            kept = torch.where(counted.to(values.device), values, 0.0)
            self._sums[name] = self._sums[name] + kept if name in self._sums else kept

    def values(self) -> dict[str, Tensor]:
        """The means, [R] each."""
        counts = self._counts
        return {} if counts is None else {name: total / counts.to(total.device) for name, total in self._sums.items()}


def named(what: str, part: str) -> str:
    """The metric name of a loss that is not finite; other quantities unchanged."""
    return f"{part}_loss" if what == "loss" else what


def policy_hint(optimizer: OptimizerOption) -> str:
    """Settings that may help where the policy's parameters or gradients are not finite."""
    rate, norm = as_yaml(optimizer.learning_rate), optimizer.max_grad_norm
    clipping = "an optimizer.max_grad_norm" if norm is None else f"a smaller optimizer.max_grad_norm ({norm})"
    return f"a lower optimizer.learning_rate ({rate}) or {clipping}"
