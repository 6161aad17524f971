"""The loss whose gradient is the policy gradient.

The value of the loss does not measure progress. It is the negative of a sum of advantages times log-probabilities over
the batch, and it can rise while the policy improves. Only its gradient is meaningful.
"""

from __future__ import annotations

import torch
from torch import Tensor


def policy_gradient_loss(log_probs: Tensor, advantages: Tensor, valid: Tensor, episodes: int) -> Tensor:
    """−Σ_t A_t log π(a_t | s_t), summed over time, averaged over episodes (Williams 1992).

    Args:
        log_probs: [R, N] log-probabilities of the actions taken, with their graph.
        advantages: [R, N], treated as constants.
        valid: [R, N] bool; steps where it is False are ignored.
        episodes: number of episodes in the N steps of a learner; 1 for the sum over episodes.

    Returns:
        [R]: one loss per learner.
    """
    return -torch.where(valid, advantages.detach() * log_probs, 0.0).sum(1) / episodes


def total_entropy(entropies: Tensor, valid: Tensor, episodes: int) -> Tensor:
    """Σ_t H(π(· | s_t)) in nats, summed over time and averaged over episodes like the loss: [R, N] -> [R]."""
    return torch.where(valid, entropies, 0.0).sum(1) / episodes
