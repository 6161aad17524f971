"""The group `collect`: the definition of a batch of experience, and its collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from annotated_types import Ge

from pg_experiments.collect.arcade import ArcadeCollector
from pg_experiments.collect.arcade_steps import ArcadeStepsCollector
from pg_experiments.collect.checks import refuse_idle_environments, refuse_without_graph
from pg_experiments.collect.compiled_episodes import CompiledEpisodeCollector
from pg_experiments.collect.compiled_player import compiled_parts
from pg_experiments.collect.compiled_steps import CompiledStepsCollector
from pg_experiments.collect.differentiable import DifferentiableEpisodeCollector, DifferentiableStepsCollector
from pg_experiments.collect.episodes import EpisodeCollector
from pg_experiments.collect.steps import StepsCollector
from pg_experiments.env import Arcade, Environments, EnvOption
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout

Unfinished = Literal["wait", "carry_over"]
KeepsGraph = bool | Literal["environment"]


class Collector(Protocol):
    """Collects one batch after another."""

    def collect(self, update: int, active: np.ndarray) -> Rollout:
        """Collects a batch of the active learners.

        Args:
            update: index of the batch, from 0; with the seeds it determines every random number.
            active: [R] indices of the learners that take part. The environments of the others are not stepped.
        """

    def state(self) -> dict[str, Any]:
        """The state of episodes that continue across batches, for a checkpoint."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state. Raises UserError where that cannot be exact."""


@runtime_checkable
class NeedsPreparation(Protocol):
    """A collector whose first batch on a machine takes some seconds longer."""

    def prepare(self, say: Callable[[str], None]) -> None:
        """Does what the first batch needs. `say` prints a line for the user where that takes long."""


class CollectOption(Protocol):
    """An option of the group `collect`."""

    @property
    def episodes_per_batch(self) -> int | None:
        """Number of episodes in a batch of a learner; None where a batch is not a quota of episodes."""

    @property
    def steps_per_batch(self) -> int | None:
        """Number of steps in a batch of a learner; None where it varies."""

    @property
    def whole_returns(self) -> bool:
        """Whether every return of a batch ends in it, or is truncated by a time limit."""

    def make(self, env: EnvOption, learners: Learners) -> Environments:
        """Makes the environments of all learners. Raises UserError where they cannot be made."""

    def build(
        self,
        environments: Environments,
        policy: Policy,
        learners: Learners,
        *,
        env: EnvOption,
        device: torch.device,
        keep_graph: KeepsGraph,
    ) -> Collector:
        """Builds the collector.

        Args:
            environments: the result of `make`.
            policy: the policy that acts.
            learners: all learners of the run.
            env: the option that made the environments.
            device: device of the rollouts.
            keep_graph: whether the graph of the policy's outputs is kept while acting; `environment`: the graph through
                policy and environment, instead.
        """


@dataclass(frozen=True)
class Episodes:
    """A fixed number of whole episodes per learner, chosen before they start."""

    episodes: Annotated[int, Ge(1)]
    unfinished: Unfinished

    @property
    def episodes_per_batch(self) -> int | None:
        return self.episodes

    @property
    def steps_per_batch(self) -> int | None:
        return None

    @property
    def whole_returns(self) -> bool:
        return True

    def validate(self, config: Any) -> None:
        """Raises UserError where the environment does not support such batches."""
        refuse_without_graph(config)
        limit = config.env.max_episodes
        if limit is not None and self.episodes > limit:
            raise UserError(
                f"collect.episodes={self.episodes}: expected at most env.max_episodes={limit}; the nearest is {limit}"
            )
        if config.env.emulators is None and self.unfinished != "wait":
            raise UserError(
                f"collect.unfinished={self.unfinished}: for games that span several batches, as env=pong; not for "
                f"{config.env.label}; the nearest is wait"
            )
        refuse_idle_environments(config.env, "episodes", self.episodes)

    def make(self, env: EnvOption, learners: Learners) -> Environments:
        environments: Environments = env.make(learners.seeds, self.episodes, alone=self.unfinished == "wait")
        return environments

    def build(
        self,
        environments: Environments,
        policy: Policy,
        learners: Learners,
        *,
        env: EnvOption,
        device: torch.device,
        keep_graph: KeepsGraph,
    ) -> Collector:
        if isinstance(environments, Arcade):
            return ArcadeCollector(
                environments,
                policy,
                seeds=learners.seeds,
                quota=self.episodes,
                of_points=False,
                return_ends_at_points=env.has_points,
                carry_over=self.unfinished == "carry_over",
                device=device,
            )
        parts = None if keep_graph else compiled_parts(environments, policy, device)
        if parts is not None:
            return CompiledEpisodeCollector(parts, policy, seeds=learners.seeds, episodes=self.episodes)
        kind = DifferentiableEpisodeCollector if keep_graph == "environment" else EpisodeCollector
        settings: dict[str, Any] = {"seeds": learners.seeds, "episodes": self.episodes, "device": device}
        return kind(environments, policy, **settings, keep_graph=bool(keep_graph))


@dataclass(frozen=True)
class Points:
    """A fixed number of whole points per learner, from games that continue across batches."""

    points: Annotated[int, Ge(1)]
    unfinished: Unfinished

    @property
    def episodes_per_batch(self) -> int | None:
        return None

    @property
    def steps_per_batch(self) -> int | None:
        return None

    @property
    def whole_returns(self) -> bool:
        return True

    def validate(self, config: Any) -> None:
        """Raises UserError where the environment has no points, or a learner more environments than points."""
        refuse_without_graph(config)
        if config.env.emulators is None:
            raise UserError(
                f"collect=points: for games of several points, as env=pong; not for {config.env.label}; the nearest "
                "is collect=episodes"
            )
        if not config.env.has_points:
            raise UserError(
                f"collect=points: with env.return_ends={config.env.return_ends} there are no points; use "
                "collect=episodes, or env.return_ends=point"
            )
        refuse_idle_environments(config.env, "points", self.points)

    def make(self, env: EnvOption, learners: Learners) -> Environments:
        environments: Environments = env.make(learners.seeds, self.points, alone=self.unfinished == "wait")
        return environments

    def build(
        self,
        environments: Environments,
        policy: Policy,
        learners: Learners,
        *,
        env: EnvOption,
        device: torch.device,
        keep_graph: KeepsGraph,
    ) -> Collector:
        assert isinstance(environments, Arcade), "checked by `validate`"
        return ArcadeCollector(
            environments,
            policy,
            seeds=learners.seeds,
            quota=self.points,
            of_points=True,
            return_ends_at_points=True,
            carry_over=self.unfinished == "carry_over",
            device=device,
        )


@dataclass(frozen=True)
class Steps:
    """A fixed number of steps in each environment, which continue across batches."""

    num_envs: Annotated[int, Ge(1)]
    num_steps: Annotated[int, Ge(1)]

    @property
    def episodes_per_batch(self) -> int | None:
        return None

    @property
    def steps_per_batch(self) -> int | None:
        return self.num_envs * self.num_steps

    @property
    def whole_returns(self) -> bool:
        return False

    def validate(self, config: Any) -> None:
        """Raises UserError where returns that are cut off cannot be continued."""
        refuse_without_graph(config)
        has_values = config.returns.uses_values or getattr(config.algorithm, "has_own_critics", False)
        if not (has_values or getattr(config.baseline, "bootstrap", False)):
            raise UserError(
                "collect=steps: a batch has pieces of episodes, whose returns are to be continued with V(s); use "
                "returns=gae with baseline=value, or baseline=value baseline.bootstrap=true"
            )

    def make(self, env: EnvOption, learners: Learners) -> Environments:
        environments: Environments = env.sized(self.num_envs).make(
            learners.seeds, self.num_envs, alone=env.emulators is None
        )
        return environments

    def build(
        self,
        environments: Environments,
        policy: Policy,
        learners: Learners,
        *,
        env: EnvOption,
        device: torch.device,
        keep_graph: KeepsGraph,
    ) -> Collector:
        if isinstance(environments, Arcade):
            return ArcadeStepsCollector(
                environments,
                policy,
                seeds=learners.seeds,
                num_steps=self.num_steps,
                return_ends_at_points=env.has_points,
                device=device,
            )
        parts = None if keep_graph else compiled_parts(environments, policy, device)
        if parts is not None:
            return CompiledStepsCollector(
                parts, policy, seeds=learners.seeds, num_envs=self.num_envs, num_steps=self.num_steps
            )
        kind = DifferentiableStepsCollector if keep_graph == "environment" else StepsCollector
        return kind(
            environments,
            policy,
            seeds=learners.seeds,
            num_envs=self.num_envs,
            num_steps=self.num_steps,
            device=device,
            keep_graph=bool(keep_graph),
        )


OPTIONS: dict[str, type] = {"episodes": Episodes, "points": Points, "steps": Steps}
