"""What soft actor-critics need of a policy, for continuous and for discrete actions.

The soft value of a state is V(s) = E[min Q(s, a) − α log π(a | s)], and the policy's loss is its negative (Haarnoja et
al. 2018, equations 3 and 7). Continuous actions are samples, through which the gradient of Q flows; of discrete
actions, the expectation is computed (Christodoulou 2019, equations 10 and 12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pg_experiments.policy.discrete_heads import Categorical
from pg_experiments.policy.gaussian_heads import SquashedGaussianHead
from pg_experiments.tensors.networks import InputPullback

Values = Callable[[Tensor], Tensor]  # min(Q₁, Q₂), [R, N, K] for inputs [R, N, D]
WithPullback = Callable[[Tensor], tuple[Tensor, InputPullback]]  # the same, with the gradient by the inputs


class PolicyTerms(NamedTuple):
    """The policy's loss at some states."""

    losses: Tensor  # [R, N] −V(s), with one sample of a continuous action
    gradient: Tensor  # [R, N, K] of each loss by the outputs of the policy's network
    entropy: Tensor  # [R, N] −log π(a | s) of that sample, or H(π(· | s)); in nats


class SoftActions(Protocol):
    """Actions of a soft actor-critic.

    Attributes:
        numbers: of a stored action.
        noise: normal numbers for a sample.
        outputs: of a critic.
        target_entropy: that of `algorithm.target_entropy=auto`, in nats.
    """

    numbers: int
    noise: int
    outputs: int
    target_entropy: float

    def stored(self, actions: Tensor) -> Tensor:
        """[..., *action_shape] -> [..., numbers]: actions of a rollout as they are stored, float32."""

    def inputs(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor | None]:
        """What critics see, [R, N, D], and the output [R, N] that stands for the action; None where there is one."""

    def next_values(self, observations: Tensor, outputs: Tensor, noise: Tensor, alpha: Tensor, q: Values) -> Tensor:
        """V(s′) [R, N] for outputs [R, N, K] of the policy and its noise; α is [R, 1]."""

    def policy_terms(
        self, observations: Tensor, outputs: Tensor, noise: Tensor, alpha: Tensor, q: WithPullback
    ) -> PolicyTerms:
        """The policy's loss; arguments as those of `next_values`."""


class ContinuousActions:
    """a = tanh u, u = μ + σ ξ with normal noise ξ. Critics see a, between −1 and 1."""

    outputs = 1

    def __init__(self, head: SquashedGaussianHead) -> None:
        self.head = head
        self.numbers = self.noise = head.num_noise
        self.target_entropy = -float(self.numbers)  # −dim A (Haarnoja et al. 2018, appendix D)

    def stored(self, actions: Tensor) -> Tensor:
        return self.head.squash(actions)

    def inputs(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor | None]:
        return torch.cat([observations, actions], -1), None

    def next_values(self, observations: Tensor, outputs: Tensor, noise: Tensor, alpha: Tensor, q: Values) -> Tensor:
        distribution = self.head.at(outputs)
        before = distribution.mean + distribution.log_std.exp() * noise
        values = q(torch.cat([observations, before.tanh()], -1)).squeeze(-1)
        return values - alpha * distribution.log_prob(before)

    def policy_terms(
        self, observations: Tensor, outputs: Tensor, noise: Tensor, alpha: Tensor, q: WithPullback
    ) -> PolicyTerms:
        """With log π = −½ ξ² − log σ − log(1 − tanh² u) + const: ∂ log π / ∂u = 2 tanh u at a fixed ξ."""
        distribution = self.head.at(outputs)
        spread = distribution.log_std.exp() * noise
        before = distribution.mean + spread
        actions, log_probs = before.tanh(), distribution.log_prob(before)
        values, pull_back = q(torch.cat([observations, actions], -1))
        by_actions = pull_back(torch.ones_like(values))[..., -self.numbers :]
        weight = alpha[..., None]
        by_before = weight * 2 * actions - by_actions * (1 - actions.square())
        by_scale = (by_before * spread - weight) * distribution.slope
        return PolicyTerms(alpha * log_probs - values.squeeze(-1), torch.cat([by_before, by_scale], -1), -log_probs)


class DiscreteActions:
    """Softmax over A actions. A critic has an output for each."""

    numbers = 1
    noise = 0

    def __init__(self, head: Categorical) -> None:
        self.head = head
        self.outputs = head.num_actions
        # 0.98 of the largest entropy (Christodoulou 2019, section 6)
        self.target_entropy = 0.98 * (head.max_entropy or 0.0)

    def stored(self, actions: Tensor) -> Tensor:
        return actions[..., None].float()

    def inputs(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor | None]:
        return observations, actions.squeeze(-1).long()

    def next_values(self, observations: Tensor, outputs: Tensor, noise: Tensor, alpha: Tensor, q: Values) -> Tensor:
        distribution = self.head.at(outputs)
        return (distribution.probs * q(observations)).sum(-1) + alpha * distribution.entropy

    def policy_terms(
        self, observations: Tensor, outputs: Tensor, noise: Tensor, alpha: Tensor, q: WithPullback
    ) -> PolicyTerms:
        """With the loss Σ π_i f_i, f = α log π − Q: the derivative by logit i is π_i (f_i − Σ π_j f_j)."""
        distribution = self.head.at(outputs)
        probs, each = distribution.probs, alpha[..., None] * distribution.log_probs - q(observations)[0]
        losses = (probs * each).sum(-1)
        return PolicyTerms(losses, probs * (each - losses[..., None]), distribution.entropy)
