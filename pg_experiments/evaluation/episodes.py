"""Fresh episodes of a run's policy, played by the very collectors of the training."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from pg_experiments.env import AtariEnv
from pg_experiments.evaluation.loaded_run import LoadedRun
from pg_experiments.run.config import RunConfig
from pg_experiments.run.run import make_collector, make_environment
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.streams import evaluation_seed

AT_ONCE = 64  # episodes side by side, at most: it bounds the memory


class Played(NamedTuple):
    """Episodes of one seed, in the order in which they were begun."""

    returns: np.ndarray  # [N] float64, undiscounted
    lengths: np.ndarray  # [N] int64, steps


def play(run: LoadedRun, count: int, *, greedy: bool) -> Played:
    """Play that many whole episodes with the policy as it is.

    Their random numbers follow from the seed and from nothing else, and are none of the training's. Which episodes
    count is known before they begin, so none counts for being short.

    Raises:
        UserError: a return is not a finite number.
    """
    rounds = -(-count // AT_ONCE)
    config = _of_one(run.config, evaluation_seed(run.seed), episodes=-(-count // rounds))
    collector = make_collector(config, make_environment(config), run.learner(greedy=greedy), torch.device("cpu"))
    batches = [collector.collect(number, np.arange(1)) for number in range(rounds)]
    returns = np.concatenate([batch.episodic_returns[0].numpy() for batch in batches]).astype(np.float64)
    lengths = np.concatenate([batch.lengths[0].numpy() for batch in batches])
    if not np.isfinite(returns[:count]).all():
        raise UserError(f"seed={run.seed}: the return of an episode is not a finite number, and says nothing")
    return Played(returns[:count], lengths[:count])


def _of_one(config: RunConfig, seed: int, episodes: int) -> RunConfig:
    """The run with one learner of another seed, whose batches are so many whole episodes, nobody going on meanwhile."""
    env = replace(config.env, num_envs=episodes) if isinstance(config.env, AtariEnv) else config.env
    batch = replace(
        config.algorithm,
        episodes_per_update=episodes,
        points_per_update=None,
        unfinished="wait",
        log_probs="recomputed",
    )
    return replace(config, env=env, algorithm=batch, seed=seed, num_seeds=1)
