"""Both gradients of every episode of a batch, at given policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import checked
from pg_experiments.algorithm.mixed import MixedAgent
from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.run.run import Run


class Gradients(NamedTuple):
    """Gradients of E episodes of R policies, [R, E, P] each."""

    pathwise: Tensor
    score: Tensor
    returns: Tensor  # [R, E]


def gradients(overrides: Sequence[str], means: Tensor | None = None) -> Gradients:
    """Plays one batch, and differentiates it twice.

    Args:
        overrides: of a run with `algorithm=mixed`; its seeds are the policies.
        means: [R] of the action of a linear policy without weights; only the derivative by them is returned, P = 1.
    """
    run = Run(checked("algorithm=mixed", "device=cpu", *overrides))
    agent = run.agent
    assert isinstance(agent, MixedAgent)
    names, sizes = zip(*((name, p[0].numel()) for name, p in agent.policy.named_parameters()), strict=True)
    chosen = slice(None)
    if means is not None:
        parameters = dict(agent.policy.named_parameters())
        with torch.no_grad():
            parameters["network.network.weights.0"].zero_()
            parameters["network.network.biases.0"].copy_(means.view(-1, 1, 1))
        place = sum(sizes[: names.index("network.network.biases.0")])
        chosen = slice(place, place + 1)
    rollout = run.collector.collect(0, np.arange(len(run.accounts.seeds)))
    score = episode_gradients(agent.policy, rollout, agent.credit(rollout).advantages)
    pathwise = agent.pathwise_gradients(rollout)
    return Gradients(pathwise[..., chosen].double(), score[..., chosen].double(), rollout.episodic_returns.double())
