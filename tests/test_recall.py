"""A recurrent policy learns to recall what it saw some steps ago."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pg_experiments.run.run import Run
from tests.conftest import make_run
from tests.recall_env import ID

RECALL = ("env=gymnasium", f"env.id={ID}", "env.threshold=1.0", "policy=gru", "policy.hidden=8", "num_seeds=2")
SHARED = ("baseline=shared_value", "collect.num_envs=16", "collect.num_steps=12", "optimizer.learning_rate=0.01")
ALGORITHMS = {  # overrides, and the number of updates
    "reinforce": (("normalization=advantages", "collect.episodes=32", "optimizer.max_grad_norm=0.5"), 50),
    "a2c": (("algorithm=a2c", *SHARED), 50),
    "ppo": (("algorithm=ppo", *SHARED), 25),
}


def returns(run: Run, updates: int) -> list[float]:
    """The mean return of each seed in the episodes of the last 10 of some updates."""
    found: list[list[torch.Tensor]] = [[], []]
    for update in range(updates):
        rollout = run.collector.collect(update, np.arange(2))
        if update >= updates - 10:
            for seed, episodes in zip(found, rollout.episodes, strict=True):
                seed.append(episodes.returns)
        run.learn(rollout, np.arange(2))
    return [float(torch.cat(seed).mean()) for seed in found]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_cue_is_recalled_after_some_steps(algorithm):
    """By both seeds nearly always; a policy without memory would be right half of the time."""
    overrides, updates = ALGORITHMS[algorithm]
    assert min(returns(make_run(*RECALL, *overrides), updates)) > 0.9
