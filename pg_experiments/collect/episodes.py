"""Collects batches of whole episodes, in environments that are reset for each batch.

Each learner has E environments, and each environment runs exactly one episode per batch. The episodes of a batch are
fixed before they start, all of them are used, and none crosses an update. Batches are therefore strictly on-policy and
have no bias towards short episodes. The cost is that finished environments wait for the longest episode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from pg_experiments.collect.acting import Acting
from pg_experiments.collect.noise import Noise
from pg_experiments.env.action_masks import KEY as ACTION_MASK
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.rollout import Finals, Rollout
from pg_experiments.tensors.sequences import Sequences
from pg_experiments.tensors.streams import episode_seeds
from pg_experiments.tensors.threads import one_thread


class EpisodeCollector:
    """Collects batches of `episodes` episodes per learner."""

    def __init__(
        self,
        env: Any,
        policy: Policy,
        *,
        seeds: Sequence[int],
        episodes: int,
        device: torch.device,
        keep_graph: bool,
    ) -> None:
        """`env` is a Gymnasium vector environment without automatic resets, which takes a `reset_mask`."""
        if env.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError("the collector resets environments itself: it needs AutoresetMode.DISABLED")
        self.env = env
        self.policy = policy
        self.seeds = list(seeds)
        self.episodes = episodes
        self.device = device
        self.keep_graph = keep_graph
        self.keep_observations = True  # False: the rollout's observations are the last ones, repeated, without memory

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Runs one episode in every environment of the active learners. Arguments as in `Collector.collect`."""
        R, E = len(active), self.episodes
        envs = (active[:, None] * E + np.arange(E)).ravel()  # [R · E] environments of the active learners
        all_active = len(self.seeds) == R
        learners = torch.from_numpy(active).to(self.device)
        head = self.policy.head
        noise = Noise(self.policy, {i: self.seeds[i] for i in active.tolist()}, E, update, self.device)
        observation, allowed = self._reset(update, envs)
        alive = np.ones(R * E, dtype=np.bool_)
        every_action = head.for_environment(np.zeros((len(self.seeds) * E, *head.action_shape), dtype=np.int64))
        observations, actions, rewards, mask, terminated, truncated, outputs = [], [], [], [], [], [], []
        allowances: list[Tensor] = []
        with torch.set_grad_enabled(self.keep_graph), one_thread():
            network = Acting(self.policy.bind(learners), self.policy.initial_states(R, E))
            for action_noise, network_noise in noise:
                output = network(self._columns(observation), network_noise)
                action = self.policy.sample(output.detach(), action_noise, allowed)
                if self.keep_observations:
                    observations.append(observation)
                actions.append(action)
                mask.append(alive)
                network.keep(self._columns(alive))
                if self.keep_graph:
                    outputs.append(output)
                if allowed is not None:
                    allowances.append(allowed)
                every_action[envs] = head.for_environment(action.cpu().numpy().reshape(R * E, *action.shape[2:]))
                observation, reward, ended, cut, info = self.env.step(every_action)
                allowed = self._allowed(info, envs)
                if not all_active:
                    observation, reward, ended, cut = observation[envs], reward[envs], ended[envs], cut[envs]
                rewards.append(reward)
                terminated.append(ended)
                truncated.append(cut)
                alive = alive & ~(ended | cut)
                if not alive.any():
                    break
        steps_taken = self._stack(mask)
        return Rollout(
            learners=learners,
            observations=network.steps(self._shown(observations, observation, len(mask))),
            actions=torch.stack(actions),
            rewards=self._stack(rewards).float(),
            mask=steps_taken,
            terminated=self._stack(terminated),
            truncated=self._stack(truncated),
            finals=finals_of(network.finals(self._columns(observation), network.states), steps_taken),
            dropout_masks=noise.of_network(len(mask)),
            outputs=torch.stack(outputs) if outputs else None,
            action_masks=torch.stack(allowances) if allowances else None,
        )

    def state(self) -> dict[str, Any]:
        """An empty state: every batch starts with new episodes, whose seeds follow from (seed, update)."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Does nothing, as the state is empty."""

    def _columns(self, array: np.ndarray) -> Tensor:
        """[R · E, *shape] -> [R, E, *shape] on the device."""
        return torch.from_numpy(array).view(-1, self.episodes, *array.shape[1:]).to(self.device)

    def _stack(self, arrays: list[np.ndarray]) -> Tensor:
        """T arrays [R · E, *shape] -> [T, R, E, *shape] on the device."""
        tensor = torch.from_numpy(np.stack(arrays)).to(self.device)
        return tensor.view(len(arrays), -1, self.episodes, *tensor.shape[2:])

    def _shown(self, observations: list[np.ndarray], last: np.ndarray, steps: int) -> Tensor:
        if self.keep_observations:
            return self._stack(observations)
        return self._columns(last).expand(steps, -1, -1, *last.shape[1:])

    def _reset(self, update: int, envs: np.ndarray) -> tuple[np.ndarray, Tensor | None]:
        """Resets the environments `envs` for a batch. Returns their observations [R · E, *shape] and action masks."""
        chosen = np.zeros(len(self.seeds) * self.episodes, dtype=np.bool_)
        chosen[envs] = True
        seeds = [s for seed in self.seeds for s in episode_seeds(seed, update, self.episodes)]
        observations, info = self.env.reset(seed=seeds, options={"reset_mask": chosen})
        return observations[envs], self._allowed(info, envs)

    def _allowed(self, info: Mapping[str, Any], envs: np.ndarray) -> Tensor | None:
        """The action masks [R, E, A] of these environments [R · E]; None where they give none."""
        return self._columns(info[ACTION_MASK][envs]) if ACTION_MASK in info else None


def finals_of(observations: Tensor | Sequences, mask: Tensor) -> Finals:
    """The last observation [R, E, *shape] of each episode, at its last step in `mask` [T, R, E]."""
    _, R, E = mask.shape
    columns = torch.arange(R * E, device=mask.device).view(R, E)
    return Finals(observations, (mask.sum(0) - 1) * (R * E) + columns, torch.ones_like(columns, dtype=torch.bool))
