"""Checks of what a policy with batch normalisation is combined with."""

from __future__ import annotations

from typing import Any

from pg_experiments.support.errors import UserError

NEAREST = "the nearest is policy.norm=layer"


def refuse_with_batch_norm(config: Any) -> None:
    """Raises UserError where the policy is not learned with the statistics of the whole batch that it has acted in."""
    name = type(config.algorithm).__name__.lower()
    if getattr(config.algorithm, "differentiates_environment", False):
        raise UserError(
            f"policy.norm=batch: algorithm={name} differentiates what was computed while acting, without the "
            f"statistics of the batch; {NEAREST}"
        )
    if not getattr(config.algorithm, "learns_from_whole_batches", False):
        raise UserError(
            f"policy.norm=batch: algorithm={name} does not learn from the batch that was just played, whose statistics "
            f"are those of the policy; {NEAREST}"
        )
    if getattr(config.algorithm, "log_probs", None) == "stored":
        raise UserError(
            "policy.norm=batch: algorithm.log_probs=stored differentiates what was computed while acting, without the "
            "statistics of the batch; use algorithm.log_probs=recomputed"
        )
    if config.env.emulators is not None:
        raise UserError(
            f"policy.norm=batch with {config.env.label}: the graph of a whole batch is too large for images; {NEAREST}"
        )
    if getattr(config.baseline, "shares_features", False):
        raise UserError(
            "policy.norm=batch: V(s) on the policy's layers would learn with other statistics than the policy; "
            "use baseline=value"
        )
    if getattr(config.baseline, "needs_episode_gradients", False):
        raise UserError(
            "policy.norm=batch: an episode has no gradient of its own, as it depends on the batch's other episodes; "
            "use baseline=leave_one_out"
        )
