"""Where policy and environment meet: playing one batch of whole episodes.

Each seed has E environments, and each of them plays exactly one episode per batch. Which episodes belong to a
batch is so decided before they start, all of them are used, and none straddles an update: no bias towards short
episodes, and strictly on-policy. The price is that an environment that is done waits for the longest episode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from pg_experiments.collect.noise import Noise
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.streams import episode_seeds
from pg_experiments.tensors.threads import one_thread


class EpisodeCollector:
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
            active: [R] the learners that play, by index. The environments of the others stand still.
        """
        R, E = len(active), self.episodes
        envs = (active[:, None] * E + np.arange(E)).ravel()  # [R · E] theirs
        everyone = len(self.seeds) == R
        actions_of_all = np.full(len(self.seeds) * E, self.first_action)
        observations = self._reset(update, envs)
        alive, ended = np.ones(R * E, dtype=np.bool_), np.zeros((2, R * E), dtype=np.bool_)
        seen, acted, paid, played, logits_of = [], [], [], [], []
        noise = Noise(self.policy, [self.seeds[learner] for learner in active], E, update, self.device)
        learners = torch.from_numpy(active).to(self.device)
        with torch.set_grad_enabled(self.keep_graph), one_thread():
            policy, head = self.policy.of(learners), self.policy.head
            for action_noise, mask in noise:
                logits = policy(torch.from_numpy(observations).view(R, E, -1).to(self.device), mask)
                actions = head.sample(logits.detach(), action_noise)
                seen.append(observations)
                acted.append(actions)
                played.append(alive)
                if self.keep_graph:
                    logits_of.append(logits)
                actions_of_all[envs] = actions.cpu().numpy().ravel() + self.first_action
                observations, rewards, terminated, truncated, _ = self.env.step(actions_of_all)
                if not everyone:
                    observations, rewards = observations[envs], rewards[envs]
                    terminated, truncated = terminated[envs], truncated[envs]
                paid.append(rewards)
                ended |= terminated, truncated
                alive = alive & ~(terminated | truncated)
                if not alive.any():
                    break

        def stack(arrays: list[np.ndarray]) -> Tensor:
            tensor = torch.from_numpy(np.stack(arrays)).to(self.device)
            return tensor.view(-1, R, E, *tensor.shape[2:])

        return Rollout(
            learners=learners,
            observations=stack(seen),
            actions=torch.stack(acted),
            rewards=stack(paid).float(),
            mask=stack(played),
            terminated=torch.from_numpy(ended[0]).view(R, E).to(self.device),
            truncated=torch.from_numpy(ended[1]).view(R, E).to(self.device),
            final_observations=torch.from_numpy(observations).view(R, E, -1).to(self.device),
            dropout_masks=noise.masks(len(seen)),
            logits=torch.stack(logits_of) if logits_of else None,
        )

    def state(self) -> dict[str, Any]:
        """Nothing: every batch starts with episodes whose seeds follow from (seed, update)."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""

    def _reset(self, update: int, envs: np.ndarray) -> np.ndarray:
        """Start the batch's episodes. Returns the first observations [R · E, D]."""
        chosen = np.zeros(len(self.seeds) * self.episodes, dtype=np.bool_)
        chosen[envs] = True
        seeds = [s for seed in self.seeds for s in episode_seeds(seed, update, self.episodes)]
        observations, _ = self.env.reset(seed=seeds, options={"reset_mask": chosen})  # type: ignore[arg-type]
        first: np.ndarray = observations[envs]
        return first
