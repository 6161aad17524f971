"""What chance contributes to acting: noise for the actions and masks for dropout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.streams import Purpose, numpy_stream

CHUNK = 64  # time steps whose random numbers are drawn at once


class Noise:
    """What chance contributes to each time step: noise for the actions and, with dropout, masks.

    Drawn a chunk of steps at a time, in order of time, from each seed's own streams: neither the size of a chunk
    nor a neighbour changes what a seed sees.
    """

    def __init__(self, policy: Policy, seeds: list[int], envs: int, update: int, device: torch.device) -> None:
        self.policy = policy
        self.shape = (CHUNK, len(seeds), envs)
        self.device = device
        self.actions = [numpy_stream(seed, Purpose.ACTIONS, update) for seed in seeds]
        self.dropout = [numpy_stream(seed, Purpose.DROPOUT, update) for seed in seeds]
        self.drawn: list[Tensor] = []

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """For each step: noise [R, E, K] for the head, and masks [R, E, L, H] or None."""
        while True:
            noise = self._action_noise().unbind(0)
            if not self.policy.has_dropout:
                yield from ((step, None) for step in noise)
                continue
            self.drawn.append(self._dropout_masks())
            # as numbers: multiplying with booleans takes three times as long
            yield from zip(noise, self.drawn[-1].float().unbind(0), strict=True)

    def masks(self, steps: int) -> Tensor | None:
        """[T, R, E, L, H]: the masks of the first `steps` steps."""
        return torch.cat(self.drawn)[:steps] if self.drawn else None

    def _action_noise(self) -> Tensor:
        uniform = np.empty((*self.shape, self.policy.num_logits), dtype=np.float32)
        for r, stream in enumerate(self.actions):
            uniform[:, r] = stream.random(uniform[:, r].shape, dtype=np.float32)
        return self.policy.head.noise(torch.from_numpy(uniform).to(self.device))

    def _dropout_masks(self) -> Tensor:
        kept = np.empty((*self.shape, *self.policy.mask_shape), dtype=np.bool_)
        for r, stream in enumerate(self.dropout):
            kept[:, r] = self.policy.draw_masks(stream, CHUNK * self.shape[2]).reshape(kept[:, r].shape)
        return torch.from_numpy(kept).to(self.device)
