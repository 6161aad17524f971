"""A policy of R learners: a network, a head, and the dropout masks that both acting and learning go through."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.policy.heads import Head
from pg_experiments.stacked import StackedMLP

LEVELS = 2**16  # dropout compares 16 random bits per unit, so its probability is exact to 1/65,536


class Policy(nn.Module):
    """π(a | s) of R seeds.

    Dropout is active while acting, as in the text. The masks are drawn outside and handed in, so that the
    log-probabilities that are learned from are those of the very network that acted.
    """

    def __init__(self, network: StackedMLP, head: Head, *, dropout: float, mask_shape: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.mask_shape = mask_shape  # L hidden layers × H units
        self.drop_below = min(round(dropout * LEVELS), LEVELS - 1) if mask_shape[0] else 0
        self.keep_scale = LEVELS / (LEVELS - self.drop_below)

    @property
    def has_dropout(self) -> bool:
        return self.drop_below > 0

    def draw_masks(self, stream: np.random.Generator, count: int) -> np.ndarray:
        """[count, L, H] bool, True for the units that are kept."""
        units = count * self.mask_shape[0] * self.mask_shape[1]
        bits = stream.bit_generator.random_raw(-(-units // 4)).view(np.uint16)[:units]
        return (bits >= self.drop_below).reshape(count, *self.mask_shape)

    def logits(self, observations: Tensor, masks: Tensor | None) -> Tensor:
        """[R, N, D] and masks [R, N, L, H] (None: no dropout) -> [R, N, K]."""
        scale = None if masks is None else masks * self.keep_scale
        logits: Tensor = self.network(observations, scale)
        return logits

    def evaluate(self, observations: Tensor, masks: Tensor | None, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of `actions` [R, N] and entropies, both [R, N] in nats, under those masks."""
        logits = self.logits(observations, masks)
        return self.head.log_prob(logits, actions), self.head.entropy(logits)

    def act(self, observations: Tensor, masks: Tensor | None, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [R, N] for uniform numbers [R, N], and the logits that they were drawn from."""
        logits = self.logits(observations, masks)
        with torch.no_grad():
            return self.head.sample(logits, uniform), logits
