"""Collects batches in differentiable environments with the graph through policy, actions, states and rewards.

An action is μ + σ ε with noise ε that is handed in, so that it is differentiable, too (the reparametrisation of Kingma
& Welling 2014). The graph of a batch begins with its first states, which are constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg_experiments.collect.episodes import EpisodeCollector
from pg_experiments.collect.episodes import finals_of as finals_of_episodes
from pg_experiments.collect.noise import CHUNK, Noise
from pg_experiments.collect.steps import StepsCollector
from pg_experiments.collect.steps import finals_of as finals_of_fragments
from pg_experiments.env import DifferentiableVectorEnv
from pg_experiments.policy.gaussian_heads import GaussianHead
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.graph import Graph
from pg_experiments.tensors.rollout import Episodes, Finals, Rollout
from pg_experiments.tensors.threads import one_thread


class DifferentiableEpisodeCollector(EpisodeCollector):
    """Collects batches of whole episodes. All episodes have the length of the environment's horizon."""

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Runs one episode in every environment of the active learners. Arguments as in `Collector.collect`."""
        player = Player(self.env, self.policy, active, self.episodes, self.device)
        self._reset(update, player.envs)
        seeds = {i: self.seeds[i] for i in active.tolist()}
        noise = Noise(self.policy, seeds, self.episodes, update, self.device)
        batch = player.play(noise, self.env.system.horizon, begin=lambda envs: None)
        finals = finals_of_episodes(batch.graph.following[-1].detach(), torch.ones_like(batch.terminated))
        return batch.rollout(player.learners, finals, noise)


class DifferentiableStepsCollector(StepsCollector):
    """Collects `num_steps` steps of `num_envs` environments per learner. The graph does not cross a reset."""

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Plays a fragment in every environment of the active learners. Arguments as in `Collector.collect`."""
        player = Player(self.env, self.policy, active, self.num_envs, self.device)
        self._hold_others(player.envs)
        self._reset(player.envs[self.ongoing.numbers[player.envs] < 0])
        seeds = {i: self.seeds[i] for i in active.tolist()}
        noise = Noise(self.policy, seeds, self.num_envs, update, self.device, chunk=min(CHUNK, self.num_steps))
        batch = player.play(noise, self.num_steps, begin=self._reset)
        self.observations = self.env.observations.numpy(force=True)
        over = (batch.terminated | batch.truncated).numpy(force=True)
        is_cut = batch.truncated.numpy(force=True).copy()
        is_cut[-1] |= ~over[-1]
        finals = finals_of_fragments(is_cut, batch.graph.following.numpy(force=True)[is_cut], None, self.device)
        games = self.ongoing.add(active, batch.taken.numpy(force=True), batch.graph.rewards.numpy(force=True), over)
        return batch.rollout(player.learners, finals, noise, games)


class Batch(NamedTuple):
    """T steps of the environments of R learners."""

    graph: Graph
    observations: Tensor  # [T, R, E, *shape] before each action
    actions: Tensor  # [T, R, E, A]
    taken: Tensor  # [T, R, E, A] the same within the bounds of the environment
    terminated: Tensor  # [T, R, E] bool
    truncated: Tensor  # [T, R, E] bool

    def rollout(self, learners: Tensor, finals: Finals, noise: Noise, games: list[Episodes] | None = None) -> Rollout:
        """The batch as a rollout, with the graph in a field of its own."""
        return Rollout(
            learners=learners,
            observations=self.observations,
            actions=self.actions,
            rewards=self.graph.rewards.detach(),
            mask=torch.ones_like(self.terminated),
            terminated=self.terminated,
            truncated=self.truncated,
            finals=finals,
            dropout_masks=noise.of_network(len(self.actions)),
            games=games,
            full=True,
            graph=self.graph,
        )


class Player:
    """Plays the environments of some learners, and keeps the graph."""

    def __init__(
        self, env: DifferentiableVectorEnv, policy: Policy, active: np.ndarray, columns: int, device: torch.device
    ) -> None:
        """`active` are the learners' indices [R], `columns` is the number E of environments of each."""
        assert isinstance(env, DifferentiableVectorEnv), "checked by `refuse_without_graph`"
        assert isinstance(policy.head, GaussianHead), "checked by the agent"
        self.env, self.policy, self.head = env, policy, policy.head
        self.device = device
        self.learners = torch.from_numpy(active).to(device)
        self.envs = (active[:, None] * columns + np.arange(columns)).ravel()  # [n] of the active learners
        self.columns = columns
        self.index = None if len(self.envs) == env.num_envs else torch.from_numpy(self.envs)

    @torch.enable_grad()
    def play(self, noise: Noise, steps: int, begin: Callable[[np.ndarray], None]) -> Batch:
        """Plays T = `steps` steps. `begin` resets environments [n] whose episodes have ended."""
        env, network = self.env, self.policy.bind(self.learners)
        played = []
        with one_thread():
            for _, (action_noise, network_noise) in zip(range(steps), noise, strict=False):
                shown = self._rows(env.observations)
                outputs = network(shown, network_noise)
                actions = self.policy.sample(outputs, action_noise)
                taken = self.head.within_bounds(actions)
                rewards, terminated, truncated = env.play(self._placed(taken))
                after, over = self._rows(env.observations), np.flatnonzero(terminated | truncated)
                ends = (self._rows(torch.from_numpy(end)) for end in (terminated, truncated))
                played.append(((outputs, self._rows(rewards), after), (shown, actions, taken, *ends)))
                begin(over)
        env.detach()
        in_graph, others = zip(*played, strict=True)
        all_outputs, *stacked = zip(*in_graph, strict=True)
        graph = Graph(all_outputs, *map(torch.stack, stacked))
        return Batch(graph, *(torch.stack(each).detach() for each in zip(*others, strict=True)))

    def _rows(self, every: Tensor) -> Tensor:
        """[N, *rest] of all environments -> [R, E, *rest] of those that play, on the device."""
        rows = every if self.index is None else every[self.index]
        return rows.view(-1, self.columns, *rows.shape[1:]).to(self.device)

    def _placed(self, actions: Tensor) -> Tensor:
        """[R, E, A] -> [N, A] on the CPU, 0 for environments that do not play."""
        rows = actions.flatten(0, 1).cpu()
        if self.index is None:
            return rows
        return rows.new_zeros(self.env.num_envs, rows.shape[1]).index_copy(0, self.index, rows)
