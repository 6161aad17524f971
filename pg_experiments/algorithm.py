"""The group `algorithm`: how a batch of experience becomes a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le
from torch import Tensor

from pg_experiments.objective import entropy_bonus, policy_gradient_loss
from pg_experiments.policy.policy import Policy
from pg_experiments.rollout import Rollout


@dataclass(frozen=True)
class Reinforce:
    """REINFORCE (Williams 1992): one gradient step per batch of whole episodes."""

    episodes_per_update: Annotated[int, Ge(1)]
    discount: Annotated[float, Ge(0), Le(1)]
    entropy_bonus: Annotated[float, Ge(0)]
    log_probs: Literal["recomputed", "stored"]

    @property
    def keeps_graph(self) -> bool:
        """Whether the collector is to keep the graph while acting."""
        return self.log_probs == "stored"

    def policy_loss(self, policy: Policy, rollout: Rollout, advantages: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each seed [R] and the mean entropy of its policy over the batch [R], in nats.

        `recomputed` evaluates the policy on the whole batch, under the dropout masks that acted; `stored` uses
        the logits whose graph was kept while acting. Both have the same gradient.
        """
        flat, episodes = rollout.flat, self.episodes_per_update
        if rollout.logits is not None:
            logits = flat.gather(rollout.logits)
        else:
            masks = None if rollout.dropout_masks is None else flat.gather(rollout.dropout_masks)
            logits = policy.of(rollout.learners)(flat.gather(rollout.observations), masks)
        log_probs = policy.head.log_prob(logits, flat.gather(rollout.actions))
        loss = policy_gradient_loss(log_probs, flat.gather(advantages), flat.valid, episodes)
        entropies = policy.head.entropy(logits if self.entropy_bonus else logits.detach())
        total = entropy_bonus(entropies, flat.valid, episodes)
        mean_entropy = total.detach() * episodes / flat.valid.sum(1).clamp(min=1)
        return (loss - self.entropy_bonus * total if self.entropy_bonus else loss), mean_entropy


OPTIONS: dict[str, type] = {"reinforce": Reinforce}
