"""Collects fragments: a fixed number of steps in each of a learner's environments, which continue across batches.

An environment whose episode ends is reset before its next step, so a column may hold the end of one episode, whole
ones, and the beginning of another. No reset transition is recorded. Batches are strictly on-policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from pg_experiments.collect.acting import Acting
from pg_experiments.collect.noise import CHUNK, Noise
from pg_experiments.collect.ongoing import Ongoing
from pg_experiments.env.action_masks import KEY as ACTION_MASK
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import Finals, Rollout
from pg_experiments.tensors.sequences import Sequences
from pg_experiments.tensors.threads import one_thread


class _Step(NamedTuple):
    """One step of n environments."""

    shown: np.ndarray  # [n, *shape] observations before the action
    allowed: Tensor | None  # [R, E, A] action masks
    outputs: Tensor  # [R, E, K] of the network
    actions: Tensor  # [R, E, *action_shape]
    taken: np.ndarray  # [n, *action_shape] actions as the environments take them
    rewards: np.ndarray  # [n]
    terminated: np.ndarray  # [n] bool
    truncated: np.ndarray  # [n] bool
    after: np.ndarray  # [n, *shape] observations after the action, before a reset
    states: Tensor  # [R, E, S] of the network after the step, before a reset


class StepsCollector:
    """Collects `num_steps` steps of `num_envs` environments per learner."""

    def __init__(
        self,
        env: Any,
        policy: Policy,
        *,
        seeds: Sequence[int],
        num_envs: int,
        num_steps: int,
        device: torch.device,
        keep_graph: bool,
    ) -> None:
        """`env` is a Gymnasium vector environment without automatic resets, with `reset_mask` and `hold`."""
        if env.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ValueError("the collector resets environments itself: it needs AutoresetMode.DISABLED")
        self.env = env
        self.policy = policy
        self.seeds = list(seeds)
        self.num_envs, self.num_steps = num_envs, num_steps
        self.device = device
        self.keep_graph = keep_graph
        self.ongoing = Ongoing(self.seeds, num_envs)
        self.observations = np.zeros(env.observation_space.shape, dtype=np.float32)  # [N, *shape] before the next step
        self.action_masks: np.ndarray | None = None  # [N, A] bool, before the next step; None where there are none
        self.states = policy.initial_states(len(self.seeds), num_envs)  # [R, E, S] of the network before the next step
        idle = np.zeros((len(self.observations), *policy.head.action_shape), dtype=np.int64)
        self.idle_actions = policy.head.for_environment(idle)

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Plays a fragment in every environment of the active learners. Arguments as in `Collector.collect`."""
        envs = (active[:, None] * self.num_envs + np.arange(self.num_envs)).ravel()
        self._hold_others(envs)
        self._reset(envs[self.ongoing.numbers[envs] < 0])
        learners = torch.from_numpy(active).to(self.device)
        seeds = {i: self.seeds[i] for i in active.tolist()}
        noise = Noise(self.policy, seeds, self.num_envs, update, self.device, chunk=min(CHUNK, self.num_steps))
        with torch.set_grad_enabled(self.keep_graph), one_thread():
            network = Acting(self.policy.bind(learners), self.states[learners])
            steps = list(islice(self._play(envs, network, noise), self.num_steps))
        self.states[learners] = network.states.detach()
        shown, allowed, outputs, actions, taken, rewards, terminated, truncated, after, states = zip(
            *steps, strict=True
        )
        ended, cut, paid = self._stack(terminated), self._stack(truncated), self._stack(rewards).float()
        over = (ended | cut).cpu().numpy()
        played = np.stack(taken).reshape(*over.shape, *taken[0].shape[1:])
        return Rollout(
            learners=learners,
            observations=network.steps(self._stack(shown), ended | cut),
            actions=torch.stack(actions),
            rewards=paid,
            mask=torch.ones_like(ended),
            terminated=ended,
            truncated=cut,
            finals=self._finals(network, over, np.stack(truncated).reshape(over.shape), after, states),
            dropout_masks=noise.of_network(self.num_steps),
            outputs=torch.stack(outputs) if self.keep_graph else None,
            games=self.ongoing.add(active, played, paid.cpu().numpy(), over),
            full=True,
            action_masks=None if self.action_masks is None else torch.stack(allowed),
        )

    def _finals(
        self,
        network: Acting,
        over: np.ndarray,
        truncated: np.ndarray,
        after: Sequence[np.ndarray],
        states: Sequence[Tensor],
    ) -> Finals:
        """Where the data is cut, and what was shown then; `after` are T arrays [R · E, *shape], `states` [R, E, S]."""
        is_cut = truncated.copy()
        is_cut[-1] |= ~over[-1]
        steps, envs = np.nonzero(is_cut.reshape(len(over), -1))
        shown = [after[t][env] for t, env in zip(steps.tolist(), envs.tolist(), strict=True)]
        observations = np.array(shown, dtype=after[0].dtype).reshape(-1, *after[0].shape[1:])
        carried = None
        if network.is_recurrent:
            carried = torch.stack(tuple(states)).detach().flatten(1, 2).numpy(force=True)[steps, envs]
        return finals_of(is_cut, observations, carried, self.device)

    def _play(self, envs: np.ndarray, network: Acting, noise: Noise) -> Iterator[_Step]:
        """Yields one step after another of these environments [n], and resets those whose episodes end."""
        for action_noise, network_noise in noise:
            shown = self.observations[envs]
            outputs = network(self._columns(shown), network_noise)
            allowed = None if self.action_masks is None else self._columns(self.action_masks[envs])
            actions = self.policy.sample(outputs.detach(), action_noise, allowed)
            taken = self._for_environments(actions)
            rewards, terminated, truncated = self._step(envs, taken)
            after = self.observations[envs]
            self._reset(envs[terminated | truncated])
            network.begin(self._columns(terminated | truncated))
            yield _Step(shown, allowed, outputs, actions, taken, rewards, terminated, truncated, after, network.after)

    def state(self) -> dict[str, Any]:
        """The unfinished episode of each environment, what it shows, and the state of a recurrent network."""
        state = {**self.ongoing.state(), "observations": torch.from_numpy(self.observations.copy())}
        return state | ({"states": self.states.clone()} if self.states.shape[2] else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state: repeats the actions of all unfinished episodes.

        Raises:
            UserError: the environments do not show what they showed at the time of the checkpoint.
        """
        self.ongoing.restore(state)
        if self.states.shape[2]:
            self.states.copy_(state["states"])
        logs, lengths = self.ongoing.actions(), self.ongoing.lengths
        begun = self.ongoing.numbers >= 0
        for left in range(
            int(lengths.max()), -1, -1
        ):  # steps until the place of the checkpoint, reached by all at once
            self._begin_again(np.flatnonzero(begun & (lengths == left)))
            going = np.flatnonzero(begun & (lengths >= left))
            if left:
                self._step(going, np.stack([logs[index][lengths[index] - left] for index in going]))
        if not np.array_equal(self.observations[begun], state["observations"].numpy()[begun]):
            raise UserError(
                "after the same actions the environments are not where they were at the time of the checkpoint; to go "
                "on exactly takes an environment whose episodes are determined by `reset(seed=…)` and the actions"
            )

    def _for_environments(self, actions: Tensor) -> np.ndarray:
        """[R, E, *action_shape] -> [R · E, *action_shape] elements of the action space."""
        return self.policy.head.for_environment(actions.cpu().numpy().reshape(-1, *actions.shape[2:]))

    def _step(self, envs: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Steps these environments [n], and no others. Returns rewards, terminated and truncated, [n] each."""
        every = self.idle_actions.copy()
        every[envs] = actions
        self.observations, rewards, terminated, truncated, info = self.env.step(every)
        self.action_masks = info.get(ACTION_MASK)
        return rewards[envs], terminated[envs], truncated[envs]

    def _reset(self, envs: np.ndarray) -> None:
        """Begins the next episode in these environments [n]."""
        if len(envs):
            self.ongoing.begin(envs)
            self._begin_again(envs)

    def _begin_again(self, envs: np.ndarray) -> None:
        """Resets these environments [n] to the beginning of their episodes."""
        if not len(envs):
            return
        chosen = np.zeros(len(self.observations), dtype=np.bool_)
        chosen[envs] = True
        seeds = np.zeros(len(chosen), dtype=np.int64)
        seeds[envs] = self.ongoing.episode_seeds(envs)
        self.observations, info = self.env.reset(seed=seeds.tolist(), options={"reset_mask": chosen})
        self.action_masks = info.get(ACTION_MASK)

    def _hold_others(self, envs: np.ndarray) -> None:
        """Pauses the environments of learners that take no part."""
        if len(envs) < len(self.observations):
            others = np.ones(len(self.observations), dtype=np.bool_)
            others[envs] = False
            self.env.hold(others)

    def _columns(self, array: np.ndarray) -> Tensor:
        """[R · E, *shape] -> [R, E, *shape] on the device."""
        return torch.from_numpy(array).view(-1, self.num_envs, *array.shape[1:]).to(self.device)

    def _stack(self, arrays: Sequence[np.ndarray]) -> Tensor:
        """T arrays [R · E, *shape] -> [T, R, E, *shape] on the device."""
        tensor = torch.from_numpy(np.stack(arrays)).to(self.device)
        return tensor.view(len(arrays), -1, self.num_envs, *tensor.shape[2:])


def finals_of(is_cut: np.ndarray, shown: np.ndarray, states: np.ndarray | None, device: torch.device) -> Finals:
    """The observations with which the data is cut: after truncated episodes, and after the last step.

    Their number differs between learners. It is padded to a multiple of E, so that networks can be evaluated on E of
    them at a time, and a learner's values do not depend on its neighbours.

    Args:
        is_cut: [T, R, E] bool: the data is cut after this step.
        shown: [n, *shape] the observations after these steps, in order of time, then of learner and environment.
        states: [n, S] of a recurrent network before these observations; None for other networks.
        device: the device of the result.
    """
    _, R, E = is_cut.shape
    positions_of = np.flatnonzero(is_cut)
    learner_of = positions_of // E % R
    order = np.argsort(learner_of, kind="stable")
    learner, counts = learner_of[order], np.bincount(learner_of, minlength=R)
    place = np.arange(len(order)) - (np.cumsum(counts) - counts)[learner]
    M = E * max(1, -(-int(counts.max()) // E))

    def placed(rows: np.ndarray) -> Tensor:
        """[n, *rest] -> [R, M, *rest]."""
        found = np.zeros((R, M, *rows.shape[1:]), dtype=rows.dtype)
        found[learner, place] = rows[order]
        return torch.from_numpy(found).to(device)

    observations = placed(shown)
    valid = torch.from_numpy(np.arange(M) < counts[:, None]).to(device)
    before = observations if states is None else Sequences(observations, placed(states))
    return Finals(before, placed(positions_of), valid)
