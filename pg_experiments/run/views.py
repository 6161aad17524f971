"""What TensorBoard shows of a run beside curves: what the policy looks for, what it saw, and how sure it is."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from pg_experiments.env import Arcade
from pg_experiments.policy.policy import Policy
from pg_experiments.run.tracking import Views
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseSteps

SAMPLES = 4096  # steps of each learner whose probabilities are shown, at most
UNITS = 16  # of a first layer are shown


def views(env: VectorEnv | Arcade, policy: Policy, rollout: Rollout) -> Views:
    """Made from the batch that was just learned from; pictures only where observations are images."""
    names = env.meanings if isinstance(env, Arcade) else None
    images = {}
    if isinstance(env, Arcade) and isinstance(rollout.observations, SparseSteps):
        h, w = env.image_shape
        images["policy/first_layer"] = _strongest_units(policy).reshape(-1, h, w).cpu().numpy()
        images["observations/mean_difference"] = _mean_of(rollout.observations).reshape(h, w)
    return Views(images, _probabilities(policy, rollout, names))


def _strongest_units(policy: Policy) -> Tensor:
    """[units, D]: the first learner's first-layer weights of the units that count most for what follows."""
    first, *later = (weight.detach()[0] for weight in policy.network.weights)
    counts = later[0].abs().sum(1) if later else torch.ones(first.shape[1], device=first.device)
    strongest: Tensor = first.T[counts.topk(min(UNITS, len(counts))).indices.sort().values]
    return strongest


def _mean_of(steps: SparseSteps) -> np.ndarray:
    """[D]: how much of each pixel changed, on average over steps, whichever way."""
    changed = torch.bincount(steps.columns.long(), minlength=steps.size).double()
    mean: np.ndarray = (changed / (len(steps.starts) - 1)).cpu().numpy()
    return mean


@torch.no_grad()
def _probabilities(policy: Policy, rollout: Rollout, names: list[str] | None) -> dict[str, np.ndarray]:
    """For each action (of two, the second alone) its probability at some of the steps."""
    block = rollout.flat.sample(SAMPLES)
    masks = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)
    logits: Tensor = policy.of(rollout.learners)(block.gather(rollout.observations), masks)
    probabilities = policy.head.probabilities(logits)[block.valid].T.cpu().numpy()
    labels = names or [str(action) for action in range(len(probabilities))]
    shown = range(len(labels)) if len(labels) > 2 else [1]
    return {f"policy/probability_of_{labels[action]}": probabilities[action] for action in shown}
