"""The object that the groups compose into, and its loop: collect → credit → learn → record."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pg_experiments.accounts import Accounts
from pg_experiments.baseline import explained_variance
from pg_experiments.collector import Collector
from pg_experiments.config import RunConfig
from pg_experiments.env import sizes
from pg_experiments.errors import UserError
from pg_experiments.rollout import Rollout
from pg_experiments.threads import one_thread
from pg_experiments.tracking import Tracker, UpdateRecord

FEW = 32  # learners whose gradient step is too small to be worth a second thread


class Run:
    """R learners on one environment, from their first episode to their last."""

    def __init__(self, config: RunConfig) -> None:
        """Build every part. Raises UserError where a choice does not fit the environment or the machine."""
        self.config = config
        self.device = _device(config.device)
        seeds, episodes = config.seeds, config.algorithm.episodes_per_update
        self.env = config.env.make(len(seeds) * episodes)
        observation_size, num_actions = sizes(self.env)
        self.policy = config.policy.build(observation_size, num_actions, seeds)
        self.baseline = config.baseline.build(observation_size, seeds)
        self.policy.to(self.device)
        self.baseline.to(self.device)
        self.optimizer = config.optimizer.build(self.policy.parameters())
        self.baseline_optimizer = config.baseline.optimizer(self.baseline)
        self.collector = Collector(
            self.env,
            self.policy,
            seeds=seeds,
            episodes=episodes,
            device=self.device,
            keep_graph=config.algorithm.keeps_graph,
        )
        self.accounts = Accounts(
            seeds,
            solved_at=config.env.solved_at,
            window=config.env.window,
            quota=episodes,
            max_episodes=config.env.max_episodes,
            max_steps=config.env.max_steps,
        )

    def execute(self, tracker: Tracker) -> float:
        """Train until every seed is solved or at a limit. Returns the mean final return over seeds."""
        with tracker.running():
            update = 0
            while len(active := self.accounts.active):
                rollout = self.collector.collect(update, active)
                returns, values, advantages = self.credit(rollout)
                with one_thread(len(active) < FEW):
                    learned = self.learn(rollout, returns, advantages, active)
                self.record(tracker, update, active, rollout, learned | self.judge(rollout, returns, values))
                update += 1
        return float(self.accounts.mean_returns().mean())

    def credit(self, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor]:
        """What each action is credited with: returns, baseline values and advantages, [T, R, E] each."""
        of, discount = self.config, self.config.algorithm.discount
        bootstrap = self.baseline.final_values(rollout)
        returns = of.returns(rollout.rewards, rollout.mask, discount, bootstrap)
        returns = of.normalization.of_returns(returns, rollout.mask)
        values = self.baseline.values(rollout, returns).expand_as(returns)
        advantages = of.normalization.of_advantages(returns - values, rollout.mask)
        return returns, values, of.returns.weigh(advantages, rollout.mask, discount)

    def learn(self, rollout: Rollout, returns: Tensor, advantages: Tensor, active: np.ndarray) -> dict[str, Tensor]:
        """One step of the policy, and the baseline's own."""
        progress = self.accounts.progress
        factors = torch.tensor([self.config.optimizer.factor(progress[learner]) for learner in active])
        entropies: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for part in self.config.algorithm.losses(self.policy, rollout, advantages):
                entropies.append(part.entropy)
                yield part.loss

        loss, norms = self.optimizer.step(losses(), rollout.learners, factors.to(self.device))
        per_step = self.config.algorithm.episodes_per_update / rollout.flat.valid.sum(1)
        learned = {
            "policy_loss": loss,
            "entropy": torch.stack(entropies).sum(0) * per_step,
            "policy_gradient_norm": norms,
            "learning_rate": self.config.optimizer.learning_rate * factors,
        }
        self._check_finite(active, loss, norms)
        return learned | self._learn_baseline(rollout, returns)

    def _learn_baseline(self, rollout: Rollout, returns: Tensor) -> dict[str, Tensor]:
        learned: dict[str, Tensor] = {}
        if self.baseline_optimizer is not None:
            at_full_rate = torch.ones(len(rollout.learners), device=self.device)
            for _ in range(self.baseline.steps):
                losses = self.baseline.losses(rollout, returns)
                loss, norms = self.baseline_optimizer.step(losses, rollout.learners, at_full_rate)
                learned = {"value_loss": loss, "value_gradient_norm": norms}
        self.baseline.follow(rollout, returns)
        return learned

    def _check_finite(self, active: np.ndarray, loss: Tensor, norms: Tensor) -> None:
        broken = ~(loss.isfinite() & norms.isfinite()).cpu().numpy()
        if broken.any():
            seeds = [self.accounts.seeds[learner].seed for learner in active[broken]]
            raise FloatingPointError(
                f"the policy's loss or gradient is not finite, of seeds {seeds}; a lower optimizer.learning_rate or an "
                "optimizer.max_grad_norm may help"
            )

    def judge(self, rollout: Rollout, returns: Tensor, values: Tensor) -> dict[str, Tensor]:
        """How well a learned baseline foresaw the returns."""
        if self.baseline_optimizer is None:
            return {}
        return {"explained_variance": explained_variance(values, returns, rollout.mask)}

    def record(
        self, tracker: Tracker, update: int, active: np.ndarray, rollout: Rollout, learned: dict[str, Tensor]
    ) -> None:
        """Enter the batch into the accounts and write the update down."""
        returns, lengths = rollout.episodic_returns.cpu().numpy(), rollout.lengths.cpu().numpy()
        self.accounts.add(active, returns, lengths)
        values = {name: value.detach().cpu().numpy() for name, value in learned.items()}
        values |= {"episodic_return": returns.mean(1), "episodic_length": lengths.mean(1)}
        values["mean_return"] = self.accounts.mean_returns()[active]
        accounts = [self.accounts.seeds[learner] for learner in active]
        tracker.write(
            UpdateRecord(
                update=update,
                learners=active,
                env_steps=np.array([account.env_steps for account in accounts]),
                episodes=np.array([account.episodes for account in accounts]),
                values=values,
                wall_time_s=tracker.seconds,
            ),
            {"policy": self.policy, "baseline": self.baseline},
        )


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: no CUDA device is available here; the nearest is device=cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
