"""The group `algorithm`: how a batch of experience becomes a loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Le
from torch import Tensor

from pg_experiments.algorithm.objective import policy_gradient_loss, total_entropy
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.rollout import FlatIndex, Rollout


class PolicyLoss(NamedTuple):
    """A part of a batch's loss."""

    loss: Tensor  # [R] with its graph
    entropy: Tensor  # [R] of the policy in nats, summed over time and reduced over episodes as the loss is


@dataclass(frozen=True)
class Reinforce:
    """REINFORCE (Williams 1992): one gradient step per batch of whole episodes, or of whole points."""

    episodes_per_update: Annotated[int, Ge(1)] | None
    points_per_update: Annotated[int, Ge(1)] | None
    unfinished: Literal["wait", "carry_over"]
    reduction: Literal["mean", "sum"]
    discount: Annotated[float, Ge(0), Le(1)]
    entropy_bonus: Annotated[float, Ge(0)]
    log_probs: Literal["recomputed", "stored"]

    @property
    def quota(self) -> int:
        """Episodes, or points, of a batch: the columns of its rollout."""
        return self.episodes_per_update or self.points_per_update or 0

    @property
    def divisor(self) -> int:
        """What sums over the batch are divided by."""
        return self.quota if self.reduction == "mean" else 1

    @property
    def keeps_graph(self) -> bool:
        """Whether the collector is to keep the graph while acting."""
        return self.log_probs == "stored"

    def losses(self, policy: Policy, rollout: Rollout, advantages: Tensor) -> Iterator[PolicyLoss]:
        """The loss, in parts whose sum it is.

        `recomputed` evaluates the policy again, under the dropout masks that acted, a block of steps at a time;
        `stored` uses the logits whose graph was kept while acting. Both have the same gradient.
        """
        if rollout.logits is not None:
            yield self._loss(policy, rollout.flat, rollout.flat.gather(rollout.logits), rollout, advantages)
            return
        for block in rollout.flat.blocks():
            masks = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)
            logits = policy.of(rollout.learners)(block.gather(rollout.observations), masks)
            yield self._loss(policy, block, logits, rollout, advantages)

    def _loss(
        self, policy: Policy, steps: FlatIndex, logits: Tensor, rollout: Rollout, advantages: Tensor
    ) -> PolicyLoss:
        log_probs = policy.head.log_prob(logits, steps.gather(rollout.actions))
        loss = policy_gradient_loss(log_probs, steps.gather(advantages), steps.valid, self.divisor)
        entropy = total_entropy(policy.head.entropy(logits), steps.valid, self.divisor)
        if self.entropy_bonus:
            loss = loss - self.entropy_bonus * entropy
        return PolicyLoss(loss, entropy.detach())


OPTIONS: dict[str, type] = {"reinforce": Reinforce}
