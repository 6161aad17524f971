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
        self._measured: list[dict[str, Tensor]] = []
        self._took_part: list[list[bool]] = []

    def add(self, measured: dict[str, Tensor], took_part: list[bool]) -> None:
        """Adds the metrics [R] of a mini-batch; those of learners that took no part are ignored."""
        self._measured.append(measured)
        self._took_part.append(took_part)

    def values(self) -> dict[str, Tensor]:
        """The means, [R] each."""
        if not self._measured:
            return {}
        if len(self._measured) == 1 and all(self._took_part[0]):
            return self._measured[0]
        names = self._measured[0]
        measured = torch.stack([torch.stack(list(of_batch.values())) for of_batch in self._measured])
        took_part = torch.tensor(self._took_part, device=measured.device)[:, None]
        means = torch.where(took_part, measured, 0.0).sum(0) / took_part.sum(0)
        return dict(zip(names, means, strict=True))


def named(what: str, part: str) -> str:
    """The metric name of a loss that is not finite; other quantities unchanged."""
    return f"{part}_loss" if what == "loss" else what


def policy_hint(optimizer: OptimizerOption) -> str:
    """Settings that may help where the policy's parameters or gradients are not finite."""
    rate, norm = as_yaml(optimizer.learning_rate), optimizer.max_grad_norm
    clipping = "an optimizer.max_grad_norm" if norm is None else f"a smaller optimizer.max_grad_norm ({norm})"
    return f"a lower optimizer.learning_rate ({rate}) or {clipping}"
