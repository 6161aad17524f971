"""A policy of R learners: a network, a head, and the dropout masks that both acting and learning go through."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.policy.acting import Acting
from pg_experiments.policy.heads import Greedy, Head
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked import StackedMLP, perceptron

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

    @property
    def has_dropout(self) -> bool:
        """Whether acting and learning need masks."""
        return self.drop_below > 0

    @property
    def num_logits(self) -> int:
        """K, the logits per step."""
        return int(self.network.weights[-1].shape[-1])

    def greedy(self) -> Policy:
        """The same parameters, but every action is the most probable one, and no unit is dropped."""
        return Policy(self.network, Greedy(self.head), dropout=0.0, mask_shape=self.mask_shape)

    def draw_masks(self, stream: np.random.Generator, count: int) -> np.ndarray:
        """[count, L, H] bool, True for the units that are kept."""
        units = count * self.mask_shape[0] * self.mask_shape[1]
        bits = stream.bit_generator.random_raw(-(-units // 4)).view(np.uint16)[:units]
        return (bits >= self.drop_below).reshape(count, *self.mask_shape)

    def of(self, learners: Tensor) -> Callable[[Tensor | SparseRows, Tensor | None], Tensor]:
        """The logits of the learners [R] by index: observations [R, N, D] and masks [R, N, L, H] -> [R, N, K].

        Their parameters are looked up once; a call is nothing but arithmetic, as acting needs it.
        """
        layers, activation = self.network.layers_of(learners), self.network.activation
        return lambda observations, masks: perceptron(observations, layers, activation, masks, self.scale)

    def acting(self) -> Acting:
        """The logits of all learners for sparse observations, a time step at a time, until a parameter changes."""
        layers = self.network.layers_of(torch.arange(len(self.network.weights[0])))
        return Acting(layers, self.network.activation, self.scale)

    @property
    def scale(self) -> float:
        """What a hidden unit that dropout keeps is multiplied with, one over its probability of being kept."""
        return LEVELS / (LEVELS - self.drop_below)
