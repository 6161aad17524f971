"""The loss whose gradient is the policy gradient.

Its value means nothing as progress: it is the negative of a product of advantages and log-probabilities of the
very batch that it is taken on, and can rise while the policy improves. Only its gradient has a meaning.
"""

from __future__ import annotations

import torch
from torch import Tensor


def policy_gradient_loss(log_probs: Tensor, advantages: Tensor, valid: Tensor, episodes: int) -> Tensor:
    """−Σ_t A_t log π(a_t | s_t), summed over time, averaged over episodes (Williams 1992).

    Args:
        log_probs: [R, N] of the actions taken, with their graph.
        advantages: [R, N], constants.
        valid: [R, N] bool; what is False counts nowhere.
        episodes: how many episodes the N steps of a seed are from; 1 for the sum over them.

    Returns:
        [R]: one loss per seed.
    """
    return -torch.where(valid, advantages.detach() * log_probs, 0.0).sum(1) / episodes


def total_entropy(entropies: Tensor, valid: Tensor, episodes: int) -> Tensor:
    """Σ_t H(π(· | s_t)) in nats, summed over time and averaged over episodes, as the loss is. [R, N] -> [R]."""
    return torch.where(valid, entropies, 0.0).sum(1) / episodes
