"""The agent of soft actor-critic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import torch
from torch import Tensor, nn

from pg_experiments.algorithm.agent import Broken, Choices, Part, Update
from pg_experiments.algorithm.critics import Critics
from pg_experiments.algorithm.exploration import ExploringHead
from pg_experiments.algorithm.metrics import ENTROPY, LEARNING_RATE, POLICY_LOSS, POLICY_NORM, Means, named, policy_hint
from pg_experiments.algorithm.replay_files import ReplayFiles
from pg_experiments.algorithm.sampling import Draws
from pg_experiments.algorithm.soft_actions import ContinuousActions, DiscreteActions, SoftActions
from pg_experiments.algorithm.transitions import Layout, Transitions
from pg_experiments.optimizer.stacked import Differentiated
from pg_experiments.policy.discrete_heads import Categorical
from pg_experiments.policy.gaussian_heads import SquashedGaussianHead
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError, as_yaml
from pg_experiments.support.files import Directory
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import state_size_of, with_pullback
from pg_experiments.tensors.replay import Replay
from pg_experiments.tensors.rollout import Rollout

if TYPE_CHECKING:
    from pg_experiments.algorithm.sac import SAC

QF_LOSS = Metric("qf_loss", "", "losses/qf_loss")
QF_VALUES = Metric("qf_values", "", "losses/qf_values")
QF_NORM = Metric("qf_gradient_norm", "", "gradients/qf_norm")
ALPHA = Metric("alpha", "", "losses/alpha")


class SACAgent:
    """R learners of SAC. Each has a buffer, a policy, twin critics with target networks, and a temperature."""

    keeps_graph = False
    metrics = (LEARNING_RATE, POLICY_LOSS, ENTROPY, QF_LOSS, QF_VALUES, ALPHA, POLICY_NORM, QF_NORM)

    def __init__(
        self,
        settings: SAC,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> None:
        self.settings, self.optimizer_settings, self.device = settings, choices.optimizer, device
        self.seeds = list(learners)
        acting = choices.policy.build(observations, actions, learners).to(device)
        if state_size_of(acting.network):
            raise UserError("algorithm=sac: learns from single steps, not from sequences; the nearest is policy=mlp")
        self.actions = soft_actions(acting)
        self.head = ExploringHead(acting.head, settings.hold)  # type: ignore[arg-type]  # checked by `soft_actions`
        self.policy = Policy(acting.network, self.head, observation_shape=acting.observation_shape)
        layout = Layout(acting.observation_shape, self.actions.numbers)
        self.replay = Replay(len(learners), settings.buffer_size, layout.width)
        self.layout, self.files = layout, ReplayFiles(self.replay, self.seeds)
        size = math.prod(acting.observation_shape)
        self.critics = Critics(
            learners,
            size if isinstance(self.actions, DiscreteActions) else size + self.actions.numbers,
            self.actions.outputs,
            hidden=settings.critic_hidden,
            layers=settings.critic_layers,
            activation=settings.critic_activation,
            learning_rate=settings.critic_learning_rate,
            optimizer=choices.optimizer,
            device=device,
        )
        first = learners.values("algorithm.alpha", settings.first_alpha).log().float()
        self.log_alpha = nn.Parameter(first[:, None].to(device))  # [R, 1]
        trained = dict(self.policy.named_parameters("policy"))
        if settings.learns_alpha:
            trained["algorithm.alpha"] = self.log_alpha
        self.optimizer = choices.optimizer.build(trained.items(), learners)
        entropy = self.actions.target_entropy if settings.target_entropy == "auto" else settings.target_entropy
        self.target_entropy = learners.values("algorithm.target_entropy", entropy).float().to(device)
        self.discount = learners.values("algorithm.discount", settings.discount).float().to(device)
        self.learning_rate = learners.values("optimizer.learning_rate", choices.optimizer.learning_rate).float()
        self.updates = 0  # number of updates made so far
        self.gradient_steps = 0  # number of gradient steps made so far
        self.modules: Mapping[str, nn.Module] = {"policy": self.policy, "critics": self.critics.online}
        self.parts = {"policy": Part(self.policy.network, "optimizer.learning_rate")}

    def learn(self, rollout: Rollout, progress: Tensor) -> Update:
        """Stores the batch, and makes the gradient steps of an update. Arguments as in `Agent.learn`."""
        if rollout.action_masks is not None:
            raise UserError("algorithm=sac: does not take action masks, which this environment has; use algorithm=ppo")
        learners = rollout.learners.tolist()
        rows = self.layout.rows(rollout, self.actions.stored(rollout.actions)).cpu()
        self.files.make_room(learners, rows.shape[1])
        self.replay.add(learners, rows)
        self._explore_or_not(learners)
        update, self.updates = self.updates, self.updates + 1
        if min(self.replay.counts[learner] for learner in learners) <= self.settings.learning_starts:
            return Update({}, {})
        schedule = [self.optimizer_settings.factor(share) for share in progress.tolist()]
        broken, means = dict[int, Broken](), Means()
        draws, sizes = Draws([self.seeds[learner] for learner in learners], update), self.replay.sizes(learners)
        for _ in range(self.settings.gradient_steps):
            places, noise = draws.draw(sizes, self.settings.batch_size, self.actions.noise)
            batch = self.layout.split(self.replay.sample(learners, places).to(self.device))
            factors = [0.0 if r in broken else factor for r, factor in zip(learners, schedule, strict=True)]
            measured = self.step(rollout.learners, batch, noise.to(self.device), factors, broken)
            means.add(measured, [factor > 0 for factor in factors])
            if len(broken) == len(learners):
                break
        metrics = means.values()
        metrics["learning_rate"] = self.learning_rate[rollout.learners.cpu()] * torch.tensor(schedule)
        return Update(metrics, broken)

    def step(
        self,
        learners: Tensor,
        batch: Transitions,
        noise: Tensor,
        factors: list[float],
        broken: dict[int, Broken],
    ) -> dict[str, Tensor]:
        """Makes a gradient step of critics, policy and temperature.

        Args:
            learners: [R] indices.
            batch: N transitions of each.
            noise: [2, R, N, numbers] normal, for the actions in the states and in the next states.
            factors: [R] of the learning rates; a learner with factor 0 takes no part.
            broken: the reason is added for each learner that cannot continue.

        Returns:
            Metrics, [R] each.
        """
        alpha = self.log_alpha.detach()[learners].exp()
        inputs, chosen = self.actions.inputs(batch.observations, batch.actions)
        targets = self.targets(learners, batch, noise[1], alpha)
        fit = self.critics.fit(learners, inputs, chosen, targets, factors)
        if fit.broken:
            key, rate = "algorithm.critic_learning_rate", self.settings.critic_learning_rate
            if rate is None:
                key, rate = "optimizer.learning_rate", self.optimizer_settings.learning_rate
            hint = f"a lower {key} ({as_yaml(rate)})"
            broken |= {r: Broken(named(what, "qf"), hint) for r, what in fit.broken.items()}
            factors = [0.0 if r in broken else f for r, f in zip(learners.tolist(), factors, strict=True)]
        measured: dict[str, Tensor] = {}
        losses = (Differentiated(self.policy_loss(learners, batch, noise[0], alpha, measured)) for _ in range(1))
        step = self.optimizer.step(losses, learners.tolist(), factors)
        if step.broken:
            hint = policy_hint(self.optimizer_settings)
            broken |= {r: Broken(named(what, "policy"), hint) for r, what in step.broken.items() if r not in broken}
        self.gradient_steps += 1
        if self.gradient_steps % self.settings.target_update_interval == 0:
            self.critics.update_target(self.settings.tau)
        found = {"qf_loss": fit.losses, "qf_values": fit.values, "qf_gradient_norm": fit.norms}
        return measured | found | {"alpha": alpha.squeeze(1), "policy_gradient_norm": step.norms}

    @torch.no_grad()
    def targets(self, learners: Tensor, batch: Transitions, noise: Tensor, alpha: Tensor) -> Tensor:
        """y = r + γ (1 − terminated) V(s′), [R, N], with the target networks' Q in V. α is [R, 1]."""
        outputs = self.policy.bind(learners)(batch.next_observations)
        values = self.actions.next_values(
            batch.next_observations.flatten(2),
            outputs,
            noise,
            alpha,
            lambda inputs: self.critics.target_values(learners, inputs),
        )
        return batch.rewards + self.discount[learners][:, None] * (1 - batch.terminated) * values

    def policy_loss(
        self, learners: Tensor, batch: Transitions, noise: Tensor, alpha: Tensor, measured: dict[str, Tensor]
    ) -> Tensor:
        """The losses [R] of policy and temperature, whose gradients are added to `grad`. Metrics go to `measured`.

        The loss of the temperature is log α (H − target), with the mean entropy H of the batch, so that α increases
        while the entropy is below its target (Haarnoja et al. 2018, equation 18, with log α in place of α as in most
        code).
        """
        outputs, pull_back = with_pullback(self.policy.bind(learners), batch.observations)
        terms = self.actions.policy_terms(
            batch.observations.flatten(2),
            outputs,
            noise,
            alpha,
            lambda inputs: self.critics.lower_values(learners, inputs),
        )
        pull_back(terms.gradient / terms.losses.shape[1])
        losses, entropy = terms.losses.mean(1), terms.entropy.mean(1)
        if self.settings.learns_alpha:
            slopes = torch.zeros_like(self.log_alpha)
            slopes[learners] = (entropy - self.target_entropy[learners])[:, None]
            self.log_alpha.grad = slopes
        measured |= {"policy_loss": losses, "entropy": entropy}
        return losses

    def _explore_or_not(self, learners: list[int]) -> None:
        """Chooses whether the next actions of these learners are uniformly distributed."""
        stored = min(self.replay.counts[learner] for learner in learners)
        self.head.is_random = stored < self.settings.learning_starts

    def keep_in(self, files: Directory) -> None:
        """As `KeepsFiles.keep_in`."""
        self.files.keep_in(files)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        return {
            "policy": self.policy.state_dict(),
            "critics": self.critics.state(),
            "log_alpha": self.log_alpha.detach(),
            "optimizer": self.optimizer.state(),
            "replay": self.files.state(),
            "updates": self.updates,
            "gradient_steps": self.gradient_steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.policy.load_state_dict(state["policy"])
        self.critics.restore(state["critics"])
        self.log_alpha.data.copy_(state["log_alpha"])
        self.optimizer.restore(state["optimizer"])
        self.files.restore(state["replay"])
        self.updates, self.gradient_steps = state["updates"], state["gradient_steps"]
        self._explore_or_not(list(range(len(self.seeds))))


def soft_actions(policy: Policy) -> SoftActions:
    """The actions of a policy. Raises UserError for a head that soft actor-critics do not support."""
    head = policy.head
    if isinstance(head, SquashedGaussianHead):
        return ContinuousActions(head)
    if isinstance(head, Categorical):
        return DiscreteActions(head)
    near = "squashed_gaussian" if head.is_continuous else "categorical"
    raise UserError(
        f"policy.head: algorithm=sac takes squashed_gaussian for Box actions and categorical for Discrete ones; the "
        f"nearest is policy.head={near}"
    )
