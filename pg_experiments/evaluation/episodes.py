"""Collects evaluation episodes with a run's policy, using the collectors of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from pg_experiments.collect import Episodes
from pg_experiments.collect.episodes import EpisodeCollector
from pg_experiments.evaluation.loaded_run import LoadedRun
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.streams import evaluation_seed

AT_ONCE = 64  # most episodes in parallel, which bounds the memory


class Played(NamedTuple):
    """Evaluation episodes of one seed, in the order in which they were started."""

    returns: np.ndarray  # [N] float64, undiscounted
    lengths: np.ndarray  # [N] int64, steps


def play(run: LoadedRun, count: int, *, greedy: bool, done: Callable[[int], object] | None = None) -> Played:
    """Collect `count` whole episodes with a fixed policy.

    Random numbers depend only on the seed, and their streams differ from those of training. Episodes are selected
    before they start, so there is no bias towards short ones.

    Args:
        run: the run whose policy acts.
        count: number of episodes.
        greedy: as in `LoadedRun.policy`.
        done: called with the number of episodes that are done, after each batch of them.

    Raises:
        UserError: a return is not a finite number.
    """
    rounds = -(-count // AT_ONCE)
    at_once = -(-count // rounds)
    learners = Learners([evaluation_seed(run.seed)])
    env, batch = run.config.env.sized(at_once), Episodes(at_once, "wait")
    policy, cpu = run.learner(greedy=greedy), torch.device("cpu")
    collector = batch.build(batch.make(env, learners), policy, learners, env=env, device=cpu, keep_graph=False)
    if isinstance(collector, EpisodeCollector):
        collector.keep_observations = False  # those of long games with images take gigabytes
    batches = []
    for number in range(rounds):
        batches.append(collector.collect(number, np.arange(1)))
        if done is not None:
            done(min(count, len(batches) * at_once))
    returns = np.concatenate([batch.episodic_returns[0].numpy() for batch in batches]).astype(np.float64)
    lengths = np.concatenate([batch.lengths[0].numpy() for batch in batches])
    if not np.isfinite(returns[:count]).all():
        raise UserError(f"seed={run.seed}: the return of an episode is not a finite number, and says nothing")
    return Played(returns[:count], lengths[:count])
