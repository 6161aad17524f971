"""REINFORCE: one gradient step per batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import gymnasium
import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from pg_experiments import baseline
from pg_experiments.algorithm.agent import Broken, Choices, Part, Update
from pg_experiments.algorithm.credit import Credit, assign_credit
from pg_experiments.algorithm.metrics import ENTROPY, LEARNING_RATE, POLICY_LOSS, POLICY_NORM, named, policy_hint
from pg_experiments.algorithm.objective import policy_gradient_loss, total_entropy
from pg_experiments.algorithm.scores import episode_gradients, gradients_in_parts
from pg_experiments.support.errors import UserError
from pg_experiments.support.metric import Metric
from pg_experiments.tensors.batch_statistics import WholeBatch, of_batch, with_running_statistics
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import BoundNetwork, Repeatable
from pg_experiments.tensors.repeated import sum_in_order
from pg_experiments.tensors.rollout import FlatIndex, Rollout

FEW_BLOCKS = 32  # blocks of steps of all learners that are evaluated at once; more would not fit the processor's cache


@dataclass(frozen=True)
class Reinforce:
    """REINFORCE (Williams 1992): one gradient step per batch of whole episodes, or of whole points."""

    learns_from_whole_batches: ClassVar[bool] = True
    has_episode_gradients: ClassVar[bool] = True
    reduction: Literal["mean", "sum"]
    discount: Annotated[float, Ge(0), Le(1)]
    entropy_bonus: Annotated[float, Ge(0)]
    log_probs: Literal["recomputed", "stored"]

    def validate(self, config: Any) -> None:
        """Raises UserError where the graph of a batch would not fit into memory."""
        if self.log_probs == "stored" and config.env.emulators is not None:
            raise UserError(
                "algorithm.log_probs=stored: not for images, whose graphs do not fit; the nearest is recomputed"
            )

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> ReinforceAgent:
        """As `AlgorithmOption.build`."""
        return ReinforceAgent(self, choices, observations, actions, learners, device)


class PolicyLoss(NamedTuple):
    """One term of a batch's loss."""

    loss: Tensor  # [R] with its graph
    entropy: Tensor  # [R] policy entropy in nats, summed over time and reduced over episodes like the loss


class ReinforceAgent:
    """R learners of REINFORCE."""

    keeps_graph: bool | Literal["environment"]
    metrics: Sequence[Metric] = (
        LEARNING_RATE,
        POLICY_LOSS,
        ENTROPY,
        *baseline.METRICS[:2],
        POLICY_NORM,
        *baseline.METRICS[2:],
    )

    def __init__(
        self,
        settings: Reinforce,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> None:
        self.settings = settings
        self.returns, self.normalization = choices.returns.build(learners), choices.normalization
        self.optimizer_settings = choices.optimizer
        self.keeps_graph = settings.log_probs == "stored"
        self.policy = choices.policy.build(observations, actions, learners).to(device)
        self.baseline = choices.baseline.build(observations, self.policy.network, learners, device)
        self.optimizer = choices.optimizer.build(self.policy.named_parameters("policy"), learners)
        self.discount = learners.values("algorithm.discount", settings.discount).to(device)
        self.learning_rate = learners.values("optimizer.learning_rate", choices.optimizer.learning_rate).float()
        self.entropy_bonus = learners.values("algorithm.entropy_bonus", settings.entropy_bonus).float().to(device)
        self.has_entropy_bonus = bool(self.entropy_bonus.any())
        self.modules: Mapping[str, nn.Module] = {"policy": self.policy, "baseline": self.baseline}
        self.parts = {"policy": Part(self.policy.network, "optimizer.learning_rate")}
        if self.baseline.network is not None:
            self.parts["baseline"] = Part(self.baseline.network, "baseline.learning_rate")

    def learn(self, rollout: Rollout, progress: Tensor) -> Update:
        """Makes one gradient step of the policy, then updates the baseline. Arguments as in `Agent.learn`."""
        credit = self.credit(rollout)
        metrics, broken = self._improve_policy(rollout, credit.advantages, progress)
        baseline_metrics, non_finite = self.baseline.learn(rollout, credit.returns, skip=broken)
        metrics |= baseline_metrics | self.baseline.judge(credit.values, credit.returns, rollout.mask)
        broken_policies = {
            i: Broken(named(what, "policy"), policy_hint(self.optimizer_settings)) for i, what in broken.items()
        }
        broken_values = {i: Broken(named(what, "value"), self.baseline.hint) for i, what in non_finite.items()}
        # advantages depend on the baseline's values: where both broke, the baseline is the cause and takes precedence
        return Update(metrics, broken_policies | broken_values)

    def credit(self, rollout: Rollout) -> Credit:
        """Computes returns, baseline values and advantages of a batch."""
        discount = self.discount[rollout.learners]
        gradients = partial(self.episode_gradients, rollout)
        return assign_credit(rollout, self.returns, self.baseline, self.normalization, discount, gradients)

    def episode_gradients(self, rollout: Rollout, advantages: Tensor) -> Tensor:
        """[R, E, P]: the policy's gradient estimated from each episode, for advantages [T, R, E] before their weights.

        The gradient of the entropy bonus is not included.
        """
        weights = self.returns.weigh(advantages, rollout, self.discount[rollout.learners])
        return episode_gradients(self.policy, rollout, weights)

    def sample_gradients(self, rollout: Rollout) -> Iterator[Tensor]:
        """As `HasEpisodeGradients.sample_gradients`."""
        columns = rollout.mask.shape[2]
        weights = self.credit(rollout).advantages * (columns / self._divisor(rollout))
        return gradients_in_parts(self.policy, rollout, weights)

    def losses(self, rollout: Rollout, advantages: Tensor) -> Iterator[PolicyLoss]:
        """Yields terms of the loss; the loss is their sum.

        `recomputed` evaluates the policy again with the noise that was used while acting, one block of steps at a time.
        `stored` uses the outputs whose graph was kept while acting. Both give the same gradient. A policy with batch
        normalisation is evaluated on all blocks together, with the statistics of the batch.
        """
        if rollout.outputs is not None:
            yield self._loss(rollout.flat, rollout.flat.gather(rollout.outputs), rollout, advantages)
            return
        if with_running_statistics(self.policy.network) is not None:
            yield self._loss_of_whole_batch(rollout, advantages)
            return
        if (together := self._loss_of_few_blocks(rollout, advantages)) is not None:
            yield together
            return
        for block in rollout.flat.blocks():
            outputs = self._outputs(self.policy.bind(rollout.learners), block, rollout)
            yield self._loss(block, outputs, rollout, advantages)

    def _loss_of_few_blocks(self, rollout: Rollout, advantages: Tensor) -> PolicyLoss | None:
        """The loss of a small batch, whose blocks are evaluated at once, with the same bits; None for another batch."""
        R, N = rollout.flat.valid.shape
        blocks = N // rollout.flat.block
        if blocks == 1 or R * blocks > FEW_BLOCKS or not isinstance(rollout.observations, Tensor):
            return None
        network = self.policy.bind(rollout.learners)
        if not isinstance(network, Repeatable):
            return None
        steps = rollout.flat.folded()
        terms = self._loss(steps, self._outputs(network.repeated(blocks), steps, rollout), rollout, advantages)
        return _of_learners(terms, blocks)

    def _loss_of_whole_batch(self, rollout: Rollout, advantages: Tensor) -> PolicyLoss:
        """The loss of a policy whose outputs depend on all steps of the batch."""
        batch = WholeBatch.of(rollout, rollout.flat)
        outputs = of_batch(self.policy.bind(rollout.learners), batch).outputs
        steps = FlatIndex(rollout.flat.shape, batch.block, rollout.flat.positions, rollout.flat.valid).folded()
        terms = self._loss(steps, outputs.reshape(-1, batch.block, outputs.shape[2]), rollout, advantages)
        return _of_learners(terms, batch.valid.shape[1] // batch.block)

    def _outputs(self, network: BoundNetwork, steps: FlatIndex, rollout: Rollout) -> Tensor:
        # as floats: multiplying by booleans takes three times as long
        noise = None if rollout.dropout_masks is None else steps.gather(rollout.dropout_masks).float()
        return network(steps.gather(rollout.observations), noise)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        return {
            "policy": self.policy.state_dict(),
            "baseline": self.baseline.state_dict(),
            "optimizer": self.optimizer.state(),
            "baseline_optimizer": None if self.baseline.optimizer is None else self.baseline.optimizer.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        self.policy.load_state_dict(state["policy"])
        self.baseline.load_state_dict(state["baseline"])
        self.optimizer.restore(state["optimizer"])
        if self.baseline.optimizer is not None:
            self.baseline.optimizer.restore(state["baseline_optimizer"])

    def _loss(self, steps: FlatIndex, outputs: Tensor, rollout: Rollout, advantages: Tensor) -> PolicyLoss:
        divisor = self._divisor(rollout)
        distribution = self.policy.distribution(outputs, rollout.action_masks_at(steps))
        log_probs = distribution.log_prob(steps.gather(rollout.actions))
        loss = policy_gradient_loss(log_probs, steps.gather(advantages), steps.valid, divisor)
        with torch.set_grad_enabled(self.has_entropy_bonus):
            entropy = total_entropy(distribution.entropy, steps.valid, divisor)
        if self.has_entropy_bonus:
            bonus = self.entropy_bonus[rollout.learners]
            loss = loss - bonus.repeat_interleave(len(loss) // len(bonus)) * entropy
        return PolicyLoss(loss, entropy.detach())

    def _divisor(self, rollout: Rollout) -> int:
        """The divisor of sums over a batch: its number of columns for `mean`, 1 for `sum`."""
        return rollout.mask.shape[2] if self.settings.reduction == "mean" else 1

    def _improve_policy(
        self, rollout: Rollout, advantages: Tensor, progress: Tensor
    ) -> tuple[dict[str, Tensor], dict[int, str]]:
        """Makes one gradient step. Returns metrics, and the quantity that is not finite for each broken learner."""
        factors = [self.optimizer_settings.factor(share) for share in progress.tolist()]
        entropies: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for part in self.losses(rollout, advantages):
                entropies.append(part.entropy)
                yield part.loss

        step = self.optimizer.step(losses(), rollout.learners.tolist(), factors)
        per_step = self._divisor(rollout) / rollout.flat.valid.sum(1)
        metrics = {
            "policy_loss": step.losses,
            "entropy": torch.stack(entropies).sum(0) * per_step,
            "policy_gradient_norm": step.norms,
            "learning_rate": self.learning_rate[rollout.learners.cpu()] * torch.tensor(factors),
        }
        return metrics, step.broken


def _of_learners(terms: PolicyLoss, blocks: int) -> PolicyLoss:
    """[R · blocks] -> [R]: the sums of the terms of each learner's blocks, in order."""
    return PolicyLoss(sum_in_order(terms.loss, blocks), terms.entropy.view(-1, blocks).T.contiguous().sum(0))
