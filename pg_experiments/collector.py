"""Where policy and environment meet: playing one batch of whole episodes.

Each seed has E environments, and each of them plays exactly one episode per batch. Which episodes belong to a
batch is so decided before they start, all of them are used, and none straddles an update: no bias towards short
episodes, and strictly on-policy. The price is that an environment that is done waits for the longest episode.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from pg_experiments.policy import Policy
from pg_experiments.rollout import Rollout
from pg_experiments.streams import Purpose, episode_seeds, numpy_stream

CHUNK = 64  # time steps whose random numbers are drawn at once


class Collector:
    """Plays batches of `episodes` episodes for each of the seeds."""

    def __init__(
        self,
        env: VectorEnv,
        policy: Policy,
        *,
        seeds: list[int],
        episodes: int,
        device: torch.device,
        keep_graph: bool,
    ) -> None:
        if env.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError("the collector resets environments itself: it needs AutoresetMode.DISABLED")
        self.env = env
        self.policy = policy
        self.seeds = seeds
        self.episodes = episodes
        self.device = device
        self.keep_graph = keep_graph
        self.first_action = int(getattr(env.single_action_space, "start", 0))

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Play one episode in every environment of the active seeds.

        Args:
            update: index of the batch, from 0; with the seeds it determines every random number.
            active: [R] bool; the other seeds sit out, and their columns are masked.
        """
        alive = np.repeat(active, self.episodes)
        observations = self._reset(update, alive)
        ended = np.zeros((2, len(alive)), dtype=np.bool_)  # terminated, truncated
        steps: list[tuple[np.ndarray, Tensor, np.ndarray, np.ndarray]] = []
        masks, graph = [], []
        with torch.set_grad_enabled(self.keep_graph):
            for uniform, mask in self._noise(update, active):
                actions, logits = self.policy.act(self._per_seed(observations), mask, uniform)
                following, rewards, *ends, _ = self.env.step(actions.cpu().numpy().ravel() + self.first_action)
                steps.append((observations, actions, rewards, alive))
                masks.append(mask)
                if self.keep_graph:
                    graph.append((self.policy.head.log_prob(logits, actions), self.policy.head.entropy(logits)))
                ended |= ends
                alive = alive & ~ended[0] & ~ended[1]
                observations = following
                if not alive.any():
                    break
        return self._rollout(steps, masks, graph, ended, observations)

    def _reset(self, update: int, alive: np.ndarray) -> np.ndarray:
        seeds = [s for seed in self.seeds for s in episode_seeds(seed, update, self.episodes)]
        observations, _ = self.env.reset(seed=seeds, options={"reset_mask": alive})  # type: ignore[arg-type]
        return np.asarray(observations)

    def _per_seed(self, array: np.ndarray) -> Tensor:
        """[R · E, *rest] -> [R, E, *rest] on the device."""
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.view(len(self.seeds), self.episodes, *tensor.shape[1:])

    def _noise(self, update: int, active: np.ndarray) -> Iterator[tuple[Tensor, Tensor | None]]:
        """For each time step: uniform numbers [R, E] and, with dropout, masks [R, E, L, H].

        Drawn a chunk of steps at a time, in order of time, from each seed's own streams: neither the size of a
        chunk nor a neighbour changes what a seed sees.
        """
        R, E = len(self.seeds), self.episodes
        actions = {r: numpy_stream(self.seeds[r], Purpose.ACTIONS, update) for r in np.flatnonzero(active)}
        dropout = {r: numpy_stream(self.seeds[r], Purpose.DROPOUT, update) for r in np.flatnonzero(active)}
        while True:
            uniform = np.zeros((CHUNK, R, E), dtype=np.float32)
            for r, stream in actions.items():
                uniform[:, r] = stream.random((CHUNK, E), dtype=np.float32)
            uniforms = torch.from_numpy(uniform).to(self.device)
            if not self.policy.has_dropout:
                for t in range(CHUNK):
                    yield uniforms[t], None
                continue
            kept = np.ones((CHUNK, R, E, *self.policy.mask_shape), dtype=np.bool_)
            for r, stream in dropout.items():
                kept[:, r] = self.policy.draw_masks(stream, CHUNK * E).reshape(kept[:, r].shape)
            masks = torch.from_numpy(kept).to(self.device)
            for t in range(CHUNK):
                yield uniforms[t], masks[t]

    def _rollout(
        self,
        steps: list[tuple[np.ndarray, Tensor, np.ndarray, np.ndarray]],
        masks: list[Tensor | None],
        graph: list[tuple[Tensor, Tensor]],
        ended: np.ndarray,
        final_observations: np.ndarray,
    ) -> Rollout:
        observations, actions, rewards, played = zip(*steps, strict=True)
        T, R, E = len(steps), len(self.seeds), self.episodes

        def stack(arrays: tuple[np.ndarray, ...]) -> Tensor:
            tensor = torch.from_numpy(np.stack(arrays)).to(self.device)
            return tensor.view(T, R, E, *tensor.shape[2:])

        kept = [mask for mask in masks if mask is not None]
        return Rollout(
            observations=stack(observations),
            actions=torch.stack(actions),
            rewards=stack(rewards).float(),
            mask=stack(played),
            terminated=self._per_seed(ended[0]),
            truncated=self._per_seed(ended[1]),
            final_observations=self._per_seed(final_observations),
            dropout_masks=torch.stack(kept) if kept else None,
            log_probs=torch.stack([log_prob for log_prob, _ in graph]) if graph else None,
            entropies=torch.stack([entropy for _, entropy in graph]) if graph else None,
        )
