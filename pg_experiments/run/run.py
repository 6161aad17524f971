"""The object that the groups compose into, and its loop: collect → credit → learn → record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from pg_experiments.baseline import explained_variance
from pg_experiments.collect import ArcadeCollector, Collector, EpisodeCollector
from pg_experiments.env import Arcade, AtariEnv, sizes
from pg_experiments.env.vector import StandingCartPole
from pg_experiments.policy.policy import Policy
from pg_experiments.run.accounts import Accounts
from pg_experiments.run.best import Best
from pg_experiments.run.checkpoint import Checkpoints
from pg_experiments.run.config import RunConfig
from pg_experiments.run.health import Health
from pg_experiments.run.memory import refuse_what_cannot_fit
from pg_experiments.run.tracking import Tracker, UpdateRecord
from pg_experiments.run.views import views
from pg_experiments.support.errors import UserError
from pg_experiments.support.interruption import Interruption
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.threads import one_thread

FEW = 32  # learners whose gradient step is too small to be worth a second thread


class Learned(NamedTuple):
    """What became of learning from a batch."""

    columns: dict[str, Tensor]  # what is written down, [R] each
    broken: dict[str, dict[int, str]]  # of `policy` and `baseline`: learner -> what of it was not finite


class Run:
    """R learners on one environment, from their first episode to their last."""

    def __init__(self, config: RunConfig) -> None:
        """Build every part. Raises UserError where a choice does not fit the environment or the machine."""
        self.config = config
        self.device = _device(config.device)
        refuse_what_cannot_fit(config, self.device.type)
        seeds = config.seeds
        self.env = make_environment(config)
        observation_size, num_actions = sizes(self.env)
        self.policy = config.policy.build(observation_size, num_actions, seeds)
        self.baseline = config.baseline.build(observation_size, seeds)
        self.policy.to(self.device)
        self.baseline.to(self.device)
        self.optimizer = config.optimizer.build(self.policy.named_parameters("policy"))
        self.baseline_optimizer = config.baseline.optimizer(self.baseline)
        self.collector = make_collector(config, self.env, self.policy, self.device)
        self.accounts = Accounts(
            seeds,
            solved_at=config.env.solved_at,
            window=config.env.window,
            quota=config.algorithm.episodes_per_update,
            max_episodes=config.env.max_episodes,
            max_steps=config.env.max_steps,
        )
        self.health = Health(config, self.accounts, self.policy, self.baseline, num_actions)
        self.best = Best(self.policy, len(seeds))
        self.updates = 0  # made so far

    @property
    def facts(self) -> dict[str, str]:
        """What no setting says: the actions that a policy chooses from, as the environment calls them."""
        if not isinstance(self.env, Arcade) or not isinstance(self.config.env, AtariEnv):
            return {}
        emulators = self.config.env.actions or {}
        names = [
            f"{name} (the emulator's {emulators[name]})" if name in emulators else name for name in self.env.meanings
        ]
        return {"actions": ", ".join(f"{index} {name}" for index, name in enumerate(names))}

    def execute(self, tracker: Tracker, checkpoints: Checkpoints | None = None) -> float:
        """Train until every seed is solved, failed or at a limit. Returns the mean final return over seeds.

        Raises:
            FloatingPointError: learning went wrong for every seed.
            Interrupted, Preempted: by a signal, after the update under way, maybe the last, and its checkpoint.
        """
        with Interruption() as interruption, tracker.running():
            while len(active := self.accounts.active) and not interruption.asked:
                rollout = self.collector.collect(self.updates, active)
                returns, values, advantages = self.credit(rollout)
                with one_thread(isinstance(rollout.observations, Tensor) and len(active) < FEW):
                    learned = self.learn(rollout, returns, advantages, active)
                    columns = learned.columns | self.judge(rollout, returns, values)
                    stopped = self.health.stop(self.updates, rollout, learned.broken)
                    symptoms = [*stopped, *self.health.symptoms(self.updates, rollout, columns["entropy"])]
                    self.record(tracker, active, rollout, columns)
                for kind, text in symptoms:
                    tracker.warn(kind, text)
                if checkpoints is not None and checkpoints.due(self.updates):
                    checkpoints.save(self.state() | {"record": tracker.state()})
            if checkpoints is not None and checkpoints.saved != self.updates:
                checkpoints.save(self.state() | {"record": tracker.state()})
            if len(self.accounts.active):
                interruption.stop_if_asked()
            if len(self.accounts.failed) == len(self.accounts.seeds):
                raise FloatingPointError(self.accounts.failure)
        interruption.stop_if_asked()  # during the last update: the run is done, but not the sweep that it is a job of
        return self.accounts.objective()

    def state(self) -> dict[str, Any]:
        """Everything that the next update depends on: nested dicts and lists of tensors and numbers.

        There are no random-number states: every draw follows from a seed and the number of the update.
        """
        return {
            "update": self.updates,
            "policy": self.policy.state_dict(),
            "baseline": self.baseline.state_dict(),
            "optimizer": self.optimizer.state(),
            "baseline_optimizer": None if self.baseline_optimizer is None else self.baseline_optimizer.state(),
            "accounts": self.accounts.state(),
            "collector": self.collector.state(),
            "best": self.best.state(),
            "health": self.health.state(),
        }

    def continuation(self, state: Mapping[str, Any]) -> str:
        """What is to be said before a state is restored: how long it takes, or that it may not be exact."""
        if isinstance(self.collector, ArcadeCollector):
            steps = sum(told.numel() for told in state["collector"]["told"])
            return f"; {steps:,} steps of its games are played again first"
        if isinstance(self.env, StandingCartPole):
            return ""
        return "; exact, if `reset(seed=…)` alone determines the episodes of its environment"

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of a run like this one. Raises UserError where its games cannot be taken up exactly."""
        self.updates = state["update"]
        self.policy.load_state_dict(state["policy"])
        self.baseline.load_state_dict(state["baseline"])
        self.optimizer.restore(state["optimizer"])
        if self.baseline_optimizer is not None:
            self.baseline_optimizer.restore(state["baseline_optimizer"])
        self.accounts.restore(state["accounts"])
        self.best.restore(state["best"])
        self.health.restore(state["health"])
        self.collector.restore(state["collector"])

    def credit(self, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor]:
        """What each action is credited with: returns, baseline values and advantages, [T, R, E] each."""
        of, discount, ends = self.config, self.config.algorithm.discount, rollout.return_ends
        bootstrap = self.baseline.final_values(rollout)
        returns = of.returns(rollout.rewards, rollout.mask, discount, bootstrap, ends)
        returns = of.normalization.of_returns(returns, rollout.mask)
        values = self.baseline.values(rollout, returns).expand_as(returns)
        advantages = of.normalization.of_advantages(returns - values, rollout.mask)
        return returns, values, of.returns.weigh(advantages, rollout.mask, discount, ends)

    def learn(self, rollout: Rollout, returns: Tensor, advantages: Tensor, active: np.ndarray) -> Learned:
        """One step of the policy, and the baseline's own."""
        progress = self.accounts.progress
        factors = [self.config.optimizer.factor(progress[learner]) for learner in active]
        entropies: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for part in self.config.algorithm.losses(self.policy, rollout, advantages):
                entropies.append(part.entropy)
                yield part.loss

        step = self.optimizer.step(losses(), active.tolist(), factors)
        per_step = self.config.algorithm.divisor / rollout.flat.valid.sum(1)
        learned = {
            "policy_loss": step.losses,
            "entropy": torch.stack(entropies).sum(0) * per_step,
            "policy_gradient_norm": step.norms,
            "learning_rate": self.config.optimizer.learning_rate * torch.tensor(factors),
        }
        of_baseline, broken = self._learn_baseline(rollout, returns, active.tolist(), step.broken)
        return Learned(learned | of_baseline, {"policy": step.broken, "baseline": broken})

    def _learn_baseline(
        self, rollout: Rollout, returns: Tensor, active: list[int], stopped: dict[int, str]
    ) -> tuple[dict[str, Tensor], dict[int, str]]:
        """The baseline's steps, of all but those that have `stopped`. Returns columns, and what broke of whom."""
        learned: dict[str, Tensor] = {}
        broken: dict[int, str] = {}
        if self.baseline_optimizer is not None:
            for _ in range(self.baseline.steps):
                factors = [float(learner not in stopped | broken) for learner in active]
                step = self.baseline_optimizer.step(self.baseline.losses(rollout, returns), active, factors)
                broken = step.broken | broken
                learned = {"value_loss": step.losses, "value_gradient_norm": step.norms}
        self.baseline.follow(rollout, returns)
        return learned, broken

    def judge(self, rollout: Rollout, returns: Tensor, values: Tensor) -> dict[str, Tensor]:
        """How well a learned baseline foresaw the returns."""
        if self.baseline_optimizer is None:
            return {}
        return {"explained_variance": explained_variance(values, returns, rollout.mask)}

    def record(self, tracker: Tracker, active: np.ndarray, rollout: Rollout, learned: dict[str, Tensor]) -> None:
        """Enter the batch into the accounts and write the update down."""
        returns, lengths = ([each.numpy() for each in part] for part in zip(*rollout.episodes, strict=True))
        self.accounts.add(active, rollout.mask.sum((0, 2)).cpu().numpy(), returns)
        values = {name: value.detach().cpu().numpy() for name, value in learned.items()}
        values |= {"episodic_return": _means(returns), "episodic_length": _means(lengths)}
        values["mean_return"] = self.accounts.mean_returns()[active]
        accounts = [self.accounts.seeds[learner] for learner in active]
        full = np.array([account.episodes >= self.accounts.window and not account.error for account in accounts])
        self.updates += 1
        self.best.follow(self.policy, active, values["mean_return"], full, self.updates)
        tracker.write(
            UpdateRecord(
                update=self.updates - 1,
                learners=active,
                env_steps=np.array([account.env_steps for account in accounts]),
                episodes=np.array([account.episodes for account in accounts]),
                values=values,
                wall_time_s=tracker.seconds,
            ),
            {"policy": self.policy, "baseline": self.baseline},
            lambda: views(self.env, self.policy, rollout),
        )


def _means(of_learners: Sequence[np.ndarray]) -> np.ndarray:
    """[R]: the mean of each; NaN where there is nothing."""
    return np.array([values.mean() if len(values) else np.nan for values in of_learners])


def make_environment(config: RunConfig) -> VectorEnv | Arcade:
    """As many environments as a batch of every seed needs. Raises UserError where there is no such environment."""
    if isinstance(config.env, AtariEnv):
        return config.env.make(config.seeds, alone=config.algorithm.unfinished == "wait")
    return config.env.make(len(config.seeds) * config.algorithm.quota)


def make_collector(config: RunConfig, env: VectorEnv | Arcade, policy: Policy, device: torch.device) -> Collector:
    """What plays batches of the algorithm's size in that environment, on the device."""
    algorithm = config.algorithm
    if isinstance(config.env, AtariEnv) and isinstance(env, Arcade):
        return ArcadeCollector(
            env,
            policy,
            seeds=config.seeds,
            quota=algorithm.quota,
            of_points=algorithm.points_per_update is not None,
            return_ends_at_points=config.env.return_ends == "point",
            carry_over=algorithm.unfinished == "carry_over",
            device=device,
        )
    assert isinstance(env, VectorEnv)
    return EpisodeCollector(
        env,
        policy,
        seeds=config.seeds,
        episodes=algorithm.quota,
        device=device,
        keep_graph=algorithm.keeps_graph,
    )


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: no CUDA device is available here; the nearest is device=cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
