"""Actor-critics: policy and V(s), trained from the same mini-batches of steps."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Any, Protocol

import gymnasium
import torch
from torch import Tensor, nn

from pg_experiments import baseline
from pg_experiments.algorithm.agent import Broken, Choices, Part, Update
from pg_experiments.algorithm.credit import Credit, assign_credit
from pg_experiments.algorithm.metrics import ENTROPY, LEARNING_RATE, POLICY_LOSS, POLICY_NORM, Means, named, policy_hint
from pg_experiments.algorithm.minibatches import minibatches
from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.baseline import ValueBaseline
from pg_experiments.optimizer.stacked import Step
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import FlatIndex, Rollout

Measured = dict[str, Tensor]  # metrics [R] of a mini-batch by name


class Objective(Protocol):
    """The policy's part of the loss."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """What `losses` measures."""

    @property
    def uses_old_log_probs(self) -> bool:
        """Whether the log-probabilities from before the update are needed."""

    def losses(self, log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of each step, [R, N] with its graph, and the metrics of each step by name, [R, N].

        Args:
            log_probs: [R, N] log π(a | s), with the graph.
            old_log_probs: [R, N] the same before the update; 0 where they are not used.
            advantages: [R, N].
        """


@dataclass(frozen=True)
class Settings:
    """What actor-critics have in common."""

    discount: float
    entropy_bonus: float
    epochs: int = 1
    num_minibatches: int = 1
    target_kl: float | None = None


@dataclass(frozen=True)
class Experience:
    """A batch, and what was computed from it before the update; [T, R, E] each."""

    rollout: Rollout
    credit: Credit
    old_log_probs: Tensor


@dataclass(frozen=True)
class MiniBatch:
    """Some steps of a batch, as [R, N]."""

    index: FlatIndex
    experience: Experience
    advantages: Tensor  # normalised, if over mini-batches
    counts: Tensor  # [R] number of steps

    def blocks(self) -> Iterator[tuple[FlatIndex, Tensor]]:
        """Yields the steps with their advantages, in blocks that bound the memory."""
        return zip(self.index.blocks(), self.advantages.split(self.index.block, 1), strict=True)

    def mean(self, per_step: Tensor, block: FlatIndex) -> Tensor:
        """The part [R] of a block in the mean over the mini-batch's steps."""
        return torch.where(block.valid, per_step, 0.0).sum(1) / self.counts


class ActorCritic:
    """R learners of an actor-critic."""

    keeps_graph = False

    def __init__(
        self,
        settings: Settings,
        objective: Objective,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> None:
        self.settings, self.objective = settings, objective
        self.returns, self.normalization = choices.returns.build(learners), choices.normalization
        self.optimizer_settings = choices.optimizer
        self.seeds = list(learners)
        self.policy = choices.policy.build(observations, actions, learners).to(device)
        critic = choices.baseline.build(observations, self.policy.network, learners, device)
        assert isinstance(critic, ValueBaseline), "checked by `validate`"
        self.critic = critic
        trained = dict(self.policy.named_parameters("policy"))
        if critic.optimizer is None:
            trained |= critic.named_parameters("baseline")
        self.trained: Mapping[str, nn.Parameter] = trained
        self.optimizer = choices.optimizer.build(trained.items(), learners)
        self.discount = learners.values("algorithm.discount", settings.discount).to(device)
        self.learning_rate = learners.values("optimizer.learning_rate", choices.optimizer.learning_rate).float()
        self.entropy_bonus = learners.values("algorithm.entropy_bonus", settings.entropy_bonus).float().to(device)
        self.updates = 0  # number of updates made so far
        self.modules: Mapping[str, nn.Module] = {"policy": self.policy, "baseline": critic}
        rate = "optimizer.learning_rate" if critic.optimizer is None else "baseline.learning_rate"
        self.parts = {
            "policy": Part(self.policy.network, "optimizer.learning_rate"),
            "baseline": Part(critic.network, rate),
        }
        value_loss, explained_variance, value_norm = baseline.METRICS
        norms = (POLICY_NORM,) if critic.optimizer is None else (POLICY_NORM, value_norm)
        of_loss = (LEARNING_RATE, POLICY_LOSS, ENTROPY, value_loss, explained_variance)
        self.metrics = (*of_loss, *norms, *objective.metrics)

    def learn(self, rollout: Rollout, progress: Tensor) -> Update:
        """Makes the gradient steps of all epochs and mini-batches. Arguments as in `Agent.learn`."""
        schedule = [self.optimizer_settings.factor(share) for share in progress.tolist()]
        learners = rollout.learners.tolist()
        credit = self.credit(rollout)
        experience = Experience(rollout, credit, self._old_log_probs(rollout))
        stopped, broken, means = [False] * len(learners), dict[int, Broken](), Means()
        for index in self._minibatches(rollout):
            has_steps = [True] * len(learners) if index.full else index.valid.any(1).tolist()
            takes_part = [has and not stops for has, stops in zip(has_steps, stopped, strict=True)]
            factors = [factor if takes else 0.0 for takes, factor in zip(takes_part, schedule, strict=True)]
            measured, failed = self._step(self._minibatch(experience, index), factors)
            means.add(measured, takes_part)
            broken |= {learner: failed[learner] for learner in compress(learners, takes_part) if learner in failed}
            far = self._has_gone_far(measured)
            stopped = [a or b or c in broken for a, b, c in zip(stopped, far, learners, strict=True)]
            if all(stopped):
                break
        self.updates += 1
        metrics = means.values() | self.critic.judge(credit.values, credit.returns, rollout.mask)
        metrics["learning_rate"] = self.learning_rate[rollout.learners.cpu()] * torch.tensor(schedule)
        return Update(metrics, broken)

    def credit(self, rollout: Rollout) -> Credit:
        """Computes returns, values and advantages of a batch."""
        discount = self.discount[rollout.learners]
        gradients = partial(episode_gradients, self.policy, rollout)
        return assign_credit(rollout, self.returns, self.critic, self.normalization, discount, gradients)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        return {
            "policy": self.policy.state_dict(),
            "baseline": self.critic.state_dict(),
            "optimizer": self.optimizer.state(),
            "baseline_optimizer": None if self.critic.optimizer is None else self.critic.optimizer.state(),
            "updates": self.updates,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.policy.load_state_dict(state["policy"])
        self.critic.load_state_dict(state["baseline"])
        self.optimizer.restore(state["optimizer"])
        if self.critic.optimizer is not None:
            self.critic.optimizer.restore(state["baseline_optimizer"])
        self.updates = state["updates"]

    def _minibatches(self, rollout: Rollout) -> Iterator[FlatIndex]:
        """Yields the steps of each mini-batch, in the order of the gradient steps."""
        seeds = [self.seeds[learner] for learner in rollout.learners.tolist()]
        return minibatches(rollout.flat, self.settings.num_minibatches, self.settings.epochs, seeds, self.updates)

    def _joint_step(self, losses: Iterable[Tensor], learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Makes one gradient step of policy and V(s). Arguments as in `StackedOptimizer.step`."""
        return self.optimizer.step(losses, learners, factors)

    def _minibatch(self, experience: Experience, index: FlatIndex) -> MiniBatch:
        advantages = self.normalization.of_minibatch(index.gather(experience.credit.advantages), index.valid)
        return MiniBatch(index, experience, advantages, index.valid.sum(1).clamp(min=1))

    def _step(self, batch: MiniBatch, factors: Sequence[float]) -> tuple[Measured, dict[int, Broken]]:
        """Makes the gradient step, or steps, of a mini-batch. Returns metrics, and why learners cannot continue."""
        learners = batch.experience.rollout.learners.tolist()
        measured: Measured = {}
        hint = policy_hint(self.optimizer_settings)
        of_policy = self._policy_losses(batch, measured)
        if self.critic.optimizer is None:
            together = map(operator.add, of_policy, self._value_losses(batch, measured))
            step = self._joint_step(together, learners, factors)
            return measured | {"policy_gradient_norm": step.norms}, _why(step.broken, "policy", hint)
        step = self.optimizer.step(of_policy, learners, factors)
        measured["policy_gradient_norm"] = step.norms
        broken = _why(step.broken, "policy", hint)
        for _ in range(self.critic.settings.steps):
            left = [0.0 if learner in broken else f for learner, f in zip(learners, factors, strict=True)]
            of_value: Measured = {}
            step = self.critic.optimizer.step(self._value_losses(batch, of_value), learners, left)
            measured |= of_value | {"value_gradient_norm": step.norms}
            broken |= _why(step.broken, "value", self.critic.hint)
        return measured, broken

    def _policy_losses(self, batch: MiniBatch, measured: Measured) -> Iterator[Tensor]:
        """Yields terms [R] of the policy's loss minus the entropy bonus, and adds their metrics to `measured`."""
        rollout = batch.experience.rollout
        bonus = self.entropy_bonus[rollout.learners]
        for block, advantages in batch.blocks():
            outputs = self._outputs(rollout, block)
            log_probs = self.policy.head.log_prob(outputs, block.gather(rollout.actions))
            old = block.gather(batch.experience.old_log_probs)
            losses, per_step = self.objective.losses(log_probs, old, advantages)
            loss, entropy = batch.mean(losses, block), batch.mean(self.policy.head.entropy(outputs), block)
            found = {"policy_loss": loss, "entropy": entropy}
            _add(measured, found | {name: batch.mean(values, block) for name, values in per_step.items()})
            yield loss - bonus * entropy

    def _value_losses(self, batch: MiniBatch, measured: Measured) -> Iterator[Tensor]:
        """Yields terms [R] of V(s)'s loss, and adds the mean squared error to `measured`."""
        rollout, credit = batch.experience.rollout, batch.experience.credit
        for block, _ in batch.blocks():
            values = self.critic.predict(rollout, block)
            errors = self.critic.squared_errors(values, block.gather(credit.returns), block.gather(credit.values))
            loss = batch.mean(errors, block)
            _add(measured, {"value_loss": loss})
            yield self.critic.settings.loss_coefficient * loss

    @torch.no_grad()
    def _old_log_probs(self, rollout: Rollout) -> Tensor:
        """[T, R, E]: log π(a | s) of the policy that acted, under the same noise; 0 where they are not used."""
        if not self.objective.uses_old_log_probs:
            return torch.zeros_like(rollout.rewards)
        head, blocks = self.policy.head, list(rollout.flat.blocks())
        rows = [head.log_prob(self._outputs(rollout, block), block.gather(rollout.actions)) for block in blocks]
        return rollout.flat.scatter(torch.cat(rows, 1))

    def _outputs(self, rollout: Rollout, block: FlatIndex) -> Tensor:
        noise = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)
        return self.policy.bind(rollout.learners)(block.gather(rollout.observations), noise)

    def _has_gone_far(self, measured: Measured) -> list[bool]:
        """Whether the policy of each learner has moved further than the target KL divergence."""
        target = self.settings.target_kl
        if target is None:
            return [False] * len(next(iter(measured.values())))
        return [divergence > target for divergence in measured["approx_kl"].tolist()]


def _why(broken: Mapping[int, str], part: str, hint: str) -> dict[int, Broken]:
    return {learner: Broken(named(what, part), hint) for learner, what in broken.items()}


def _add(sums: Measured, terms: Measured) -> None:
    for name, value in terms.items():
        sums[name] = sums[name] + value.detach() if name in sums else value.detach()
