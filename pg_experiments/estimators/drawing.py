"""Draws batches of whole episodes with the policy of a snapshot, as training would draw them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pg_experiments.collect import Episodes, KeepsGraph
from pg_experiments.estimators.derivative import why_not_pathwise
from pg_experiments.estimators.snapshot import CPU, Snapshot
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import SequenceSteps
from pg_experiments.tensors.sparse import SparseSteps
from pg_experiments.tensors.streams import evaluation_seed

MiB = 2**20
MOST = 1024 * MiB  # bytes of dense observations


def draw(
    snapshot: Snapshot, counts: tuple[int, ...], size: int, done: Callable[[int], object] | None = None
) -> list[list[Rollout]]:
    """Draws batches of `size` episodes with dropout and sampled actions, and with the rewards that learning sees.

    Rewards are clipped where those of the run are (`normalization.rewards`), and not divided: a factor that changes
    while training has no place at one point. Random numbers depend only on the seed, and differ from those of training.

    Args:
        snapshot: the policy.
        counts: numbers of batches; each begins where the one before ends.
        size: number of episodes in a batch.
        done: called with the number of episodes that are done, after each batch.

    Returns:
        A list of rollouts [T, 1, size] for each of the counts.

    Raises:
        UserError: the observations do not fit into memory, or a reward is not a finite number.
    """
    config = snapshot.config
    learners = Learners([evaluation_seed(snapshot.seed)])
    env, option = config.env.sized(size), Episodes(size, "wait")
    policy = snapshot.agent.policy
    environments = option.make(env, learners)
    keep_graph: KeepsGraph = "environment" if why_not_pathwise(snapshot) is None else False
    collector = option.build(environments, policy, learners, env=env, device=CPU, keep_graph=keep_graph)
    scale = None
    if config.normalization.rewards in ("clip", "sign"):
        scale = config.normalization.reward_scale(config, learners, CPU)
    batches: list[Rollout] = []
    stored = 0
    for number in range(sum(counts)):
        rollout = collector.collect(number, np.arange(1))
        if not rollout.rewards[rollout.mask].isfinite().all():
            raise UserError(f"seed={snapshot.seed}: a reward is not a finite number, and has no gradient")
        stored += _bytes(rollout)
        if stored > MOST:
            fitting = max(1, number * size)
            raise UserError(
                f"episodes={sum(counts) * size}: their observations take more than {MOST // MiB:,} MiB; about "
                f"{fitting} fit, of which a V(s) that is fitted takes a third"
            )
        batches.append(rollout if scale is None else scale.scaled(rollout))
        if done is not None:
            done((number + 1) * size)
    ends = np.cumsum(counts).tolist()
    return [batches[end - count : end] for count, end in zip(counts, ends, strict=True)]


def _bytes(rollout: Rollout) -> int:
    """Memory of the observations and of the actions' noise."""
    shown = rollout.observations
    if isinstance(shown, SparseSteps):
        return shown.columns.nbytes + shown.values.nbytes
    return (shown.observations if isinstance(shown, SequenceSteps) else shown).nbytes
