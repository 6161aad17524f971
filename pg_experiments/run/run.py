"""A training run, composed of one option per group, and its loop: collect → learn → record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pg_experiments.algorithm.agent import KeepsFiles, Update
from pg_experiments.collect import NeedsPreparation
from pg_experiments.normalization import add_observations
from pg_experiments.run.accounts import Accounts
from pg_experiments.run.best import Best
from pg_experiments.run.checkpoint import Checkpoints
from pg_experiments.run.config import RunConfig
from pg_experiments.run.device import device_of
from pg_experiments.run.health import Health
from pg_experiments.run.memory import refuse_what_cannot_fit
from pg_experiments.run.tracking import Tracker, UpdateRecord
from pg_experiments.run.views import views
from pg_experiments.support.files import Directory
from pg_experiments.support.interruption import Interruption
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.batch_statistics import merge_statistics, with_running_statistics
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseSteps
from pg_experiments.tensors.threads import one_thread

FEW = 32  # with fewer learners, a gradient step is too small to benefit from a second thread
OF_EPISODES = (
    Metric("episodic_return", "", "charts/episodic_return"),
    Metric("episodic_length", "steps", "charts/episodic_length"),
    Metric("mean_return", "", "charts/mean_return"),
)


class Run:
    """Trains R learners on one environment until each is solved, failed or at a limit."""

    def __init__(self, config: RunConfig, learners: Learners | None = None) -> None:
        """Builds every part.

        Args:
            config: the config shared by all learners.
            learners: seeds, and values that differ between learners; None for the seeds of the config.

        Raises:
            UserError: a choice does not fit the environment or the machine.
        """
        self.config = config
        self.device = device_of(config.device)
        refuse_what_cannot_fit(config, self.device.type)
        self.learners = learners = Learners(config.seeds) if learners is None else learners
        self.env = env = config.collect.make(config.env, learners)
        spaces = (env.single_observation_space, env.single_action_space)
        normalization = config.normalization
        choices = replace(
            config,
            policy=normalization.of_policy(config.policy),
            baseline=normalization.of_baseline(config.baseline),
        )
        self.agent = config.algorithm.build(choices, *spaces, learners, self.device)
        self.rewards = normalization.reward_scale(config, learners, self.device)
        self.collector = config.collect.build(
            env,
            self.agent.policy,
            learners,
            env=config.env,
            device=self.device,
            keep_graph=self.agent.keeps_graph,
        )
        self.accounts = Accounts(
            list(learners.seeds),
            solved_at=config.env.solved_at,
            window=config.env.window,
            quota=config.collect.episodes_per_batch,
            max_episodes=config.env.max_episodes,
            max_steps=config.env.max_steps,
        )
        self.diagnostics = config.diagnostics.build(self.agent)
        self.has_batch_statistics = with_running_statistics(self.agent.policy.network) is not None
        self.health = Health(self.accounts, self.agent)
        self.best = Best(self.agent.policy, len(learners))
        self.updates = 0  # number of updates made so far

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics recorded for every update, in the order of the columns."""
        return (*OF_EPISODES, *self.agent.metrics, *self.diagnostics.metrics)

    def execute(self, tracker: Tracker, checkpoints: Checkpoints | None = None) -> float:
        """Trains until every learner is solved, failed or at a limit. Returns the mean final return over learners.

        Raises:
            FloatingPointError: learning failed for every learner.
            Interrupted, Preempted: there was a signal; raised after the current update and its checkpoint.
            Stopped: the caller has stopped the run; raised after its checkpoint.
        """
        with Interruption() as interruption, tracker.running():
            if isinstance(self.collector, NeedsPreparation):
                with tracker.paused():
                    self.collector.prepare(tracker.say)
            while len(active := self.accounts.active) and not interruption.asked and not tracker.stopped:
                rollout = self.collector.collect(self.updates, active)
                self.keep_best(rollout, active)
                with one_thread(not isinstance(rollout.observations, SparseSteps) and len(active) < FEW):
                    update = self.learn(rollout, active)
                    symptoms = self.health.check(self.updates, rollout, update)
                    self.record(tracker, active, rollout, update.metrics)
                for kind, text in symptoms:
                    tracker.warn(kind, text)
                if checkpoints is not None and checkpoints.due(self.updates):
                    checkpoints.save(self.state() | {"record": tracker.state()})
                tracker.notify()
            if checkpoints is not None and checkpoints.saved != self.updates:
                checkpoints.save(self.state() | {"record": tracker.state()})
            if len(self.accounts.active):
                interruption.stop_if_asked()
                tracker.stop_if_asked()
            if len(self.accounts.failed) == len(self.accounts.seeds):
                raise FloatingPointError(self.accounts.failure)
        interruption.stop_if_asked()  # a signal during the last update must still stop a sweep
        return self.accounts.objective()

    def keep_best(self, rollout: Rollout, active: np.ndarray) -> None:
        """Keeps the parameters that have played a batch where they are each learner's best. Called before `learn`."""
        returns = [each.numpy() for each in next(zip(*rollout.episodes, strict=True))]
        means, full = self.accounts.windows_with(active, returns)
        self.best.follow(self.agent.policy, active, means, full, self.updates)

    def learn(self, rollout: Rollout, active: np.ndarray) -> Update:
        """Updates the agent from a batch of the active learners with indices [R]."""
        progress = torch.tensor(self.accounts.progress, dtype=torch.float64)
        scaled = self.rewards.scaled(rollout)
        measured = self.diagnostics.measure(self.updates, scaled)
        update = self.agent.learn(scaled, progress[active])
        add_observations(self.agent.policy.network, rollout, update.broken)
        if self.has_batch_statistics:
            merge_statistics(self.agent.policy.network, rollout, update.broken)
        return update._replace(metrics=update.metrics | measured)

    def state(self) -> dict[str, Any]:
        """The complete state for the next update: nested dicts and lists of tensors and numbers.

        It has no state of random generators, since random numbers depend only on the seed and the index of the update.
        """
        return {
            "update": self.updates,
            "agent": self.agent.state(),
            "rewards": self.rewards.state(),
            "accounts": self.accounts.state(),
            "collector": self.collector.state(),
            "best": self.best.state(),
            "diagnostics": self.diagnostics.state(),
            "health": self.health.state(),
        }

    def resume_note(self, state: Mapping[str, Any]) -> str:
        """A note for the user before a state is restored, on its duration or exactness; may be empty."""
        return self.env.resume_note(state["collector"])

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state of a run with the same config. Raises UserError where that cannot be exact."""
        self.updates = state["update"]
        self.agent.restore(state["agent"])
        self.rewards.restore(state.get("rewards", {}))  # absent in the first runs of version 0.2
        self.accounts.restore(state["accounts"])
        self.best.restore(state["best"])
        self.diagnostics.restore(state.get("diagnostics", {}))  # absent in earlier runs, which have none
        self.health.restore(state["health"])
        self.collector.restore(state["collector"])

    def keep_in(self, files: Directory) -> None:
        """Keeps what the agent does not keep in checkpoints in the run's directory. Called after `restore`, if that is.

        Raises:
            FileError: its files are not those of the restored state.
        """
        if isinstance(self.agent, KeepsFiles):
            self.agent.keep_in(files)

    def record(self, tracker: Tracker, active: np.ndarray, rollout: Rollout, metrics: dict[str, Tensor]) -> None:
        """Adds the batch to the accounts and records the update."""
        returns, lengths = ([each.numpy() for each in part] for part in zip(*rollout.episodes, strict=True))
        self.accounts.add(active, rollout.mask.sum((0, 2)).cpu().numpy(), returns)
        values = {name: value.detach().cpu().numpy() for name, value in metrics.items()}
        values |= {"episodic_return": _means(returns), "episodic_length": _means(lengths)}
        values["mean_return"] = self.accounts.mean_returns()[active]
        accounts = [self.accounts.seeds[learner] for learner in active]
        self.updates += 1
        self.best.renew(self.agent.policy, active, self.updates)
        tracker.write(
            UpdateRecord(
                update=self.updates - 1,
                learners=active,
                env_steps=np.array([account.env_steps for account in accounts]),
                episodes=np.array([account.episodes for account in accounts]),
                finished=np.array([len(each) for each in returns]),
                values=values,
                wall_time_s=tracker.seconds,
            ),
            self.agent.modules,
            lambda: views(self.env, self.agent.policy, rollout),
        )


def _means(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """[R]: the mean of each array; NaN for an empty one."""
    return np.array([values.mean() if len(values) else np.nan for values in arrays])
