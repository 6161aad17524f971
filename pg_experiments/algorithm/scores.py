"""Gradients of log-probabilities, and of outputs of the network, separately for each episode of a batch.

An episode is given to a copy of its learner's policy. All copies are evaluated and differentiated at once, as stacked
learners are, so that any network has a gradient for each episode at the cost of a batch's gradient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import torch
from torch import Tensor

from pg_experiments.policy.distributions import Distribution
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.copies import copies
from pg_experiments.tensors.networks import with_pullback
from pg_experiments.tensors.rollout import BLOCK, FlatIndex, Rollout
from pg_experiments.tensors.sequences import SequenceSteps
from pg_experiments.tensors.sparse import SparseSteps, StepsByRow

PART = 2**22  # parameters of copies that are made at once, 16 MiB; with more, allocating takes longer
PerStep = TypeVar("PerStep", bound=Tensor | SparseSteps | SequenceSteps | StepsByRow)


def episode_gradients(policy: Policy, rollout: Rollout, weights: Tensor) -> Tensor:
    """Σ_t w_t ∇ log π(a_t | s_t) of each episode.

    With advantages as weights it is the policy-gradient estimate of each episode (Williams 1992), with ones the sum of
    the episode's scores. The policy is evaluated again with the dropout masks that were used while acting.

    Args:
        policy: the policy of all learners; without batch normalisation, with which episodes depend on each other.
        rollout: the batch. A column that has several episodes, or a part of one, counts as one episode.
        weights: [T, R, E], ignored where there is no step.

    Returns:
        [R, E, P]: the P numbers of the policy's parameters, each flattened, in the order of `policy.parameters()`.
    """
    return torch.cat(list(gradients_in_parts(policy, rollout, weights)), 1)


def gradients_in_parts(policy: Policy, rollout: Rollout, weights: Tensor) -> Iterator[Tensor]:
    """Yields `episode_gradients` in parts [R, E', P] of consecutive episodes, which bound the memory."""
    for columns in _parts(policy, rollout):
        yield _of_columns(policy, rollout, weights, columns, _of_log_probs)


def output_gradients(policy: Policy, rollout: Rollout, slopes: Tensor) -> Tensor:
    """Σ_t λ_t · ∇ o_t of each episode, for the outputs o_t of the network in the observations of the rollout.

    Args:
        policy, rollout: as in `episode_gradients`.
        slopes: λ, [T, R, E, K].

    Returns:
        [R, E, P], as `episode_gradients`.
    """
    parts = [_of_columns(policy, rollout, slopes, columns, _given) for columns in _parts(policy, rollout)]
    return torch.cat(parts, 1)


def _parts(policy: Policy, rollout: Rollout) -> Iterator[slice]:
    """Yields consecutive columns that are differentiated together."""
    R, E = rollout.mask.shape[1:]
    numbers = R * sum(parameter[0].numel() for parameter in policy.parameters())
    size = max(1, PART // numbers)
    for start in range(0, E, size):
        yield slice(start, start + size)


def _of_log_probs(distribution: Distribution, actions: Tensor, weights: Tensor) -> Tensor:
    """Derivatives of Σ_t w_t log π(a_t | s_t) by the outputs, [R, N, K]."""
    slopes = distribution.log_prob_gradient(actions)
    return weights.to(slopes.dtype)[..., None] * slopes


def _given(distribution: Distribution, actions: Tensor, weights: Tensor) -> Tensor:
    """The weights themselves."""
    return weights


def _of_columns(
    policy: Policy,
    rollout: Rollout,
    weights: Tensor,
    columns: slice,
    slopes: Callable[[Distribution, Tensor, Tensor], Tensor],
) -> Tensor:
    """[R, E', P]: those of some columns. Blocks of steps have a fixed size, so that padding changes no bit."""
    mask, actions, weights = _apart(rollout.mask, columns), _apart(rollout.actions, columns), _apart(weights, columns)
    observations = _apart(rollout.observations, columns)
    masks = None if rollout.dropout_masks is None else _apart(rollout.dropout_masks, columns)
    allowed = None if rollout.action_masks is None else _apart(rollout.action_masks, columns)
    of_copies = copies(policy, rollout.learners.repeat_interleave(mask.shape[1] // len(rollout.learners)))
    network = of_copies.bind()
    for steps in _index(observations, mask, rollout.full).blocks():
        # as floats: multiplying by booleans takes three times as long
        noise = None if masks is None else steps.gather(masks).float()
        outputs, pull_back = with_pullback(network, steps.gather(observations), noise)
        distribution = of_copies.distribution(outputs, None if allowed is None else steps.gather(allowed))
        pull_back(slopes(distribution, steps.gather(actions), steps.gather(weights)))
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in of_copies.parameters()]
    flat = torch.cat([g.flatten(1) for g in gradients], 1)
    return flat.view(len(rollout.learners), -1, flat.shape[1])


def _apart(per_step: PerStep, columns: slice) -> PerStep:
    """[T, R, E, *rest] -> [T, R · E', 1, *rest]: each of some columns as that of a learner of its own."""
    if isinstance(per_step, Tensor):
        return cast(PerStep, per_step[:, :, columns].flatten(1, 2).unsqueeze(2))
    if isinstance(per_step, SequenceSteps):
        states = per_step.states[:, columns].flatten(0, 1).unsqueeze(1)
        fresh = None if per_step.fresh is None else _apart(per_step.fresh, columns)
        return cast(PerStep, SequenceSteps(_apart(per_step.observations, columns), states, fresh))
    return cast(PerStep, dataclasses.replace(per_step, row_of=_apart(per_step.row_of, columns)))


def _index(observations: Tensor | SparseSteps | SequenceSteps, mask: Tensor, full: bool) -> FlatIndex:
    """The index of the steps of a mask [T, R', 1]."""
    if isinstance(observations, SequenceSteps):
        return FlatIndex.of_sequences(mask, full)
    if full:
        T, R, _ = mask.shape
        return FlatIndex.of_all((T, R, 1), BLOCK, mask.device)
    return FlatIndex.of(mask, BLOCK)
