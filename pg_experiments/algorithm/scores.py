"""Gradients of the log-probabilities, separately for each episode of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import pad

from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.rollout import BLOCK, Rollout


class _WeightedLogProb(nn.Module):
    """Σ_t w_t log π(a_t | s_t) of one episode of each learner, summed over the learners, which share no parameters."""

    def __init__(self, policy: Policy, learners: Tensor) -> None:
        super().__init__()
        self.policy = policy
        self.learners = learners

    def forward(
        self, observations: Tensor, actions: Tensor, weights: Tensor, noise: Tensor | None, action_masks: Tensor | None
    ) -> Tensor:
        """[T, R, *rest] each, without the axis of episodes -> []."""
        noise = None if noise is None else noise.transpose(0, 1)
        outputs = self.policy.bind(self.learners)(observations.transpose(0, 1), noise)
        distribution = self.policy.distribution(outputs, None if action_masks is None else action_masks.transpose(0, 1))
        return (weights.transpose(0, 1) * distribution.log_prob(actions.transpose(0, 1))).sum()


def episode_gradients(policy: Policy, rollout: Rollout, weights: Tensor) -> Tensor:
    """Σ_t w_t ∇ log π(a_t | s_t) of each episode.

    With advantages as weights it is the policy-gradient estimate of each episode (Williams 1992), with ones the sum of
    the episode's scores. The policy is evaluated again with the dropout masks that were used while acting. All episodes
    are differentiated at once, in blocks of time steps of a fixed size, so that the padding, which depends on the other
    learners, changes no bit.

    Args:
        policy: the policy of all learners.
        rollout: the batch, with dense observations.
        weights: [T, R, E], ignored where there is no step.

    Returns:
        [R, E, P]: the P numbers of the policy's parameters, each flattened, in the order of `policy.parameters()`.
    """
    observations, masks = rollout.observations, rollout.dropout_masks
    assert isinstance(observations, Tensor), "images are sparse, and one gradient per episode is too large for them"
    assert masks is None or isinstance(masks, Tensor)
    parameters = {f"policy.{name}": parameter.detach() for name, parameter in policy.named_parameters()}
    module = _WeightedLogProb(policy, rollout.learners)
    gradient = grad(lambda *arguments: functional_call(module, arguments[0], arguments[1:]))
    optional = [None if each is None else 2 for each in (masks, rollout.action_masks)]
    of_episodes = vmap(gradient, in_dims=(None, 2, 2, 2, *optional), out_dims=1)
    dtype = next(iter(parameters.values())).dtype
    steps = (
        _without_padding(observations, rollout.mask),
        _without_padding(rollout.actions, rollout.mask),
        _without_padding(weights, rollout.mask).to(dtype),
        masks,
        rollout.action_masks,
    )
    total: Tensor | None = None
    for start in range(0, len(rollout.mask), BLOCK):
        block = [x if x is None else _block(x, start) for x in steps]
        found = of_episodes(parameters, *block)  # [learners, E, *shape] for each parameter
        flat = torch.cat([g[rollout.learners].flatten(2) for g in found.values()], 2)
        total = flat if total is None else total + flat
    assert total is not None
    return total


def _without_padding(per_step: Tensor, mask: Tensor) -> Tensor:
    """[T, R, E, *rest] with 0 where there is no step, whose values may be anything."""
    return torch.where(mask.view(*mask.shape, *(1 for _ in per_step.shape[3:])), per_step, 0)


def _block(per_step: Tensor, start: int) -> Tensor:
    """The `BLOCK` time steps from `start` on, [T, R, E, *rest] -> [BLOCK, R, E, *rest]; 0 after the last one."""
    steps = per_step[start : start + BLOCK]
    return pad(steps, (0, 0) * (steps.ndim - 1) + (0, BLOCK - len(steps)))
