"""Credit assignment: from a batch to the returns, values and advantages of its steps."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from pg_experiments.baseline import Baseline, EpisodeGradients
from pg_experiments.normalization import Normalization
from pg_experiments.returns import Returns
from pg_experiments.tensors.rollout import Rollout


class Credit(NamedTuple):
    """Returns, values and advantages of a batch, [T, R, E] each."""

    returns: Tensor
    values: Tensor  # the baseline's
    advantages: Tensor


def assign_credit(
    rollout: Rollout,
    returns: Returns,
    baseline: Baseline,
    normalization: Normalization,
    discount: Tensor,
    gradients: EpisodeGradients,
) -> Credit:
    """Computes returns, baseline values and advantages of a batch.

    Args:
        rollout: the batch.
        returns: what an action is credited with.
        baseline: what is subtracted.
        normalization: of the returns, or of the advantages where it is over the batch.
        discount: [R] γ of the learners that took part.
        gradients: the policy's gradient of each episode, for baselines that depend on it.
    """
    if returns.uses_values:
        values = baseline.state_values(rollout)
        targets = returns(rollout, baseline.next_values(rollout, values), discount)
    else:
        targets = returns(rollout, baseline.final_values(rollout), discount)
        targets = normalization.of_returns(targets, rollout.mask)
        values = baseline.values(rollout, targets, gradients).expand_as(targets)
    advantages = normalization.of_advantages(targets - values, rollout.mask)
    return Credit(targets, values, returns.weigh(advantages, rollout, discount))
