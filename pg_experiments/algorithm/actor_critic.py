"""Actor-critics: policy and V(s), trained from the same mini-batches of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Any

import gymnasium
import torch
from torch import Tensor, nn

from pg_experiments import baseline
from pg_experiments.algorithm.agent import Broken, Choices, Part, Update
from pg_experiments.algorithm.credit import Credit, assign_credit
from pg_experiments.algorithm.experience import Experience, MiniBatch, Steps
from pg_experiments.algorithm.metrics import ENTROPY, LEARNING_RATE, POLICY_LOSS, POLICY_NORM, Means, named, policy_hint
from pg_experiments.algorithm.minibatches import minibatches
from pg_experiments.algorithm.scores import episode_gradients, gradients_in_parts
from pg_experiments.algorithm.surrogate import Objective
from pg_experiments.algorithm.whole_batches import evaluated_blocks, old_log_probs
from pg_experiments.baseline import ValueBaseline
from pg_experiments.baseline.shared_value import BoundSharedValue, Evaluated
from pg_experiments.optimizer.stacked import Differentiated, Losses, Step
from pg_experiments.tensors.batch_statistics import with_running_statistics
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import with_pullback
from pg_experiments.tensors.rollout import FlatIndex, Rollout

Measured = dict[str, Tensor]  # metrics [R] of a mini-batch by name


@dataclass(frozen=True)
class Settings:
    """What actor-critics have in common."""

    discount: float
    entropy_bonus: float
    epochs: int = 1
    num_minibatches: int = 1
    target_kl: float | None = None


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
        self.has_bonus = bool(self.entropy_bonus.any())
        self.has_batch_statistics = with_running_statistics(self.policy.network) is not None
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
        credit = self.credit(rollout)
        experience = Experience(rollout, credit, self._old_log_probs(rollout))
        learners = experience.learners
        stopped, broken, means = [False] * len(learners), dict[int, Broken](), Means()
        for batch in self._batches(experience):
            index = batch.index
            has_steps = [True] * len(learners) if index.full else index.valid.any(1).tolist()
            takes_part = [has and not stops for has, stops in zip(has_steps, stopped, strict=True)]
            factors = [factor if takes else 0.0 for takes, factor in zip(takes_part, schedule, strict=True)]
            measured, failed = self._step(batch, factors)
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

    def sample_gradients(self, rollout: Rollout) -> Iterator[Tensor]:
        """As `HasEpisodeGradients.sample_gradients`. The ratio of PPO is 1 before the first step, as is its slope."""
        advantages, weights = self.credit(rollout).advantages, torch.zeros_like(rollout.rewards)
        for columns, index in self._groups(rollout):
            found = self.normalization.of_minibatch(index.gather(advantages), index.valid)
            weights += index.scatter(found * (columns / index.counts.clamp(min=1)[:, None]))
        return gradients_in_parts(self.policy, rollout, weights)

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

    def _groups(self, rollout: Rollout) -> Iterator[tuple[int, FlatIndex]]:
        """Yields groups of columns, by their number and steps. A loss is a mean over a group's steps."""
        yield rollout.mask.shape[2], rollout.flat

    def _batches(self, experience: Experience) -> Iterator[MiniBatch]:
        """Yields the mini-batches in the order of the gradient steps."""
        indices = self._minibatches(experience.rollout)
        if not (self.has_batch_statistics and self.objective.uses_old_log_probs):
            for index in indices:
                yield MiniBatch.of(experience, index, self.normalization)
            return
        of_all = [(index, old_log_probs(self.policy, experience.rollout, index)) for index in indices]
        for index, log_probs in of_all:
            yield MiniBatch.of(experience, index, self.normalization).with_old_log_probs(log_probs)

    def _joint_step(self, losses: Losses, learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Makes one gradient step of policy and V(s). Arguments as in `StackedOptimizer.step`."""
        return self.optimizer.step(losses, learners, factors)

    def _step(self, batch: MiniBatch, factors: Sequence[float]) -> tuple[Measured, dict[int, Broken]]:
        """Makes the gradient step, or steps, of a mini-batch. Returns metrics, and why learners cannot continue."""
        learners = batch.experience.learners
        measured: Measured = {}
        if self.critic.optimizer is None:
            blocks = self._evaluated(batch)
            together = (Differentiated(self._common_loss(batch, steps, measured, policy)) for steps, policy in blocks)
            step = self._joint_step(together, learners, factors)
            return measured | {"policy_gradient_norm": step.norms}, self._why(step.broken, "policy")
        blocks = self._evaluated(batch)
        of_policy = (Differentiated(self._policy_loss(batch, steps, measured, policy)) for steps, policy in blocks)
        step = self.optimizer.step(of_policy, learners, factors)
        measured["policy_gradient_norm"] = step.norms
        broken = self._why(step.broken, "policy")
        for _ in range(self.critic.settings.steps):
            left = [0.0 if learner in broken else f for learner, f in zip(learners, factors, strict=True)]
            found: Measured = {}
            of_value = (Differentiated(self._value_loss(batch, steps, found)) for steps in batch.blocks())
            step = self.critic.optimizer.step(of_value, learners, left)
            measured |= found | {"value_gradient_norm": step.norms}
            broken |= self._why(step.broken, "value")
        return measured, broken

    def _evaluated(self, batch: MiniBatch) -> Iterator[tuple[Steps, Evaluated | None]]:
        """Yields the blocks of a mini-batch, with the policy's outputs where they depend on all of its steps."""
        if self.has_batch_statistics:
            yield from evaluated_blocks(self.policy, batch)
        else:
            yield from ((steps, None) for steps in batch.blocks())

    def _common_loss(
        self, batch: MiniBatch, steps: Steps, measured: Measured, policy: Evaluated | None = None
    ) -> Tensor:
        """A term [R] of the sum of both losses; from one evaluation of layers that both share, where possible."""
        critic, value = self.critic.network.bind(batch.experience.rollout.learners), None
        together = critic.with_policy(steps.observations) if isinstance(critic, BoundSharedValue) else None
        if together is not None and steps.noise is None:
            policy, value = together
        return self._policy_loss(batch, steps, measured, policy) + self._value_loss(batch, steps, measured, value)

    def _policy_loss(
        self, batch: MiniBatch, steps: Steps, measured: Measured, evaluated: Evaluated | None = None
    ) -> Tensor:
        """A term [R] of the policy's loss minus the entropy bonus. Adds its gradient, and its metrics to `measured`."""
        learners = batch.experience.rollout.learners
        if evaluated is None:
            evaluated = with_pullback(self.policy.bind(learners), steps.observations, steps.noise)
        outputs, pull_back = evaluated
        distribution = self.policy.distribution(outputs, steps.action_masks)
        log_probs = distribution.log_prob(steps.actions)
        losses, slopes, metrics = self.objective.surrogate(log_probs, steps.old_log_probs, steps.advantages)
        found = batch.means({"policy_loss": losses, "entropy": distribution.entropy} | metrics, steps.places)
        loss, gradient = found["policy_loss"], slopes[..., None] * distribution.log_prob_gradient(steps.actions)
        if self.has_bonus:
            bonus = self.entropy_bonus[learners]
            loss = loss - bonus * found["entropy"]
            gradient = gradient - bonus[:, None, None] * distribution.entropy_gradient()
        pull_back(batch.mean_gradient(gradient, steps.places))
        _add(measured, found)
        return loss

    def _value_loss(
        self, batch: MiniBatch, steps: Steps, measured: Measured, evaluated: Evaluated | None = None
    ) -> Tensor:
        """A term [R] of V(s)'s loss. Adds its gradient, and the mean squared error to `measured`."""
        network, coefficient = self.critic.network, self.critic.settings.loss_coefficient
        if evaluated is None:
            evaluated = with_pullback(network.bind(batch.experience.rollout.learners), steps.observations)
        outputs, pull_back = evaluated
        errors, slopes = self.critic.squared_errors(outputs.squeeze(-1), steps.returns, steps.old_values)
        pull_back(batch.mean_gradient(coefficient * slopes[..., None], steps.places))
        found = batch.means({"value_loss": errors}, steps.places)
        _add(measured, found)
        return coefficient * found["value_loss"]

    @torch.no_grad()
    def _old_log_probs(self, rollout: Rollout) -> Tensor:
        """[T, R, E]: log π(a | s) of the policy that acted, under the same noise; 0 where they are not used."""
        if not self.objective.uses_old_log_probs or self.has_batch_statistics:
            return torch.zeros_like(rollout.rewards)
        rows = [self._log_probs(rollout, block) for block in rollout.flat.blocks()]
        return rollout.flat.scatter(torch.cat(rows, 1))

    def _log_probs(self, rollout: Rollout, block: FlatIndex) -> Tensor:
        noise = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)
        outputs = self.policy.bind(rollout.learners)(block.gather(rollout.observations), noise)
        distribution = self.policy.distribution(outputs, rollout.action_masks_at(block))
        return distribution.log_prob(block.gather(rollout.actions))

    def _why(self, broken: Mapping[int, str], part: str) -> dict[int, Broken]:
        """What is told of the learners whose step failed."""
        if not broken:
            return {}
        hint = policy_hint(self.optimizer_settings) if part == "policy" else self.critic.hint
        return {learner: Broken(named(what, part), hint) for learner, what in broken.items()}

    def _has_gone_far(self, measured: Measured) -> list[bool]:
        """Whether the policy of each learner has moved further than the target KL divergence."""
        target = self.settings.target_kl
        if target is None:
            return [False] * len(next(iter(measured.values())))
        return [divergence > target for divergence in measured["approx_kl"].tolist()]


def _add(sums: Measured, terms: Measured) -> None:
    for name, value in terms.items():
        sums[name] = sums[name] + value if name in sums else value
