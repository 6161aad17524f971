"""Random numbers used while acting: action noise, and the network's noise (dropout masks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.streams import Purpose, numpy_stream

CHUNK = 64  # time steps whose random numbers are drawn together


class Noise:
    """The random numbers of each time step of a batch.

    Numbers are drawn in chunks of steps, in order of time, from each learner's own streams. A learner's numbers depend
    neither on the size of a chunk nor on the other learners.
    """

    def __init__(
        self,
        policy: Policy,
        seeds: Mapping[int, int],
        envs: int,
        update: int,
        device: torch.device,
        chunk: int = CHUNK,
    ) -> None:
        """`seeds` maps the index of each active learner to its seed; `chunk` is the number of steps drawn together."""
        self.policy = policy
        self.learners = list(seeds)
        self.shape = (chunk, len(seeds), envs)
        self.device = device
        self.action_streams = [numpy_stream(seed, Purpose.ACTIONS, update) for seed in seeds.values()]
        self.network_streams = [numpy_stream(seed, Purpose.DROPOUT, update) for seed in seeds.values()]
        self.drawn: list[Tensor] = []

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yields, for each step, the head's noise [R, E, N] and the network's noise [R, E, *noise_shape] or None."""
        while True:
            noise = self._action_noise().unbind(0)
            if not self.policy.has_noise:
                yield from ((step, None) for step in noise)
                continue
            self.drawn.append(self._network_noise())
            # as floats: multiplying by booleans takes three times as long
            yield from zip(noise, self.drawn[-1].float().unbind(0), strict=True)

    def of_network(self, steps: int) -> Tensor | None:
        """The network's noise of the first `steps` steps, [T, R, E, *noise_shape]; None for a network without noise."""
        return torch.cat(self.drawn)[:steps] if self.drawn else None

    def _action_noise(self) -> Tensor:
        uniform = np.empty((*self.shape, self.policy.head.num_noise), dtype=np.float32)
        for r, stream in enumerate(self.action_streams):
            uniform[:, r] = stream.random(uniform[:, r].shape, dtype=np.float32)
        return self.policy.head.noise(torch.from_numpy(uniform).to(self.device))

    def _network_noise(self) -> Tensor:
        network = self.policy.network
        kept = np.empty((*self.shape, *network.noise_shape), dtype=np.bool_)
        for r, (learner, stream) in enumerate(zip(self.learners, self.network_streams, strict=True)):
            kept[:, r] = network.draw_noise(learner, stream, self.shape[0] * self.shape[2]).reshape(kept[:, r].shape)
        return torch.from_numpy(kept).to(self.device)
