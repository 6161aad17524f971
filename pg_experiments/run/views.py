"""Views of a batch for TensorBoard: first-layer weights, mean images, and distributions over actions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pg_experiments.env import Environments
from pg_experiments.policy.policy import Policy
from pg_experiments.run.tracking import Views
from pg_experiments.tensors.networks import WithFirstLayer
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseSteps

SAMPLES = 4096  # most steps of each learner whose distributions are shown
UNITS = 16  # most first-layer units that are shown


def views(env: Environments, policy: Policy, rollout: Rollout) -> Views:
    """Compute the views of a batch; images only where observations are images."""
    images = {}
    if env.image_shape is not None:
        h, w = env.image_shape
        if isinstance(policy.network, WithFirstLayer):
            images["policy/first_layer"] = policy.network.strongest_units(0, UNITS).reshape(-1, h, w).cpu().numpy()
        if isinstance(rollout.observations, SparseSteps):
            mean = _mean_of(rollout.observations).reshape(-1, h, w)
            images["observations/mean_difference" if len(mean) == 1 else "observations/mean_frames"] = mean
    return Views(images, _distributions(policy, rollout, env.action_names))


def _mean_of(steps: SparseSteps) -> np.ndarray:
    """[D]: the fraction of steps in which each number was not 0."""
    used = torch.bincount(steps.columns.long(), minlength=steps.size).double()
    mean: np.ndarray = (used / (len(steps.starts) - 1)).cpu().numpy()
    return mean


@torch.no_grad()
def _distributions(policy: Policy, rollout: Rollout, names: list[str] | None) -> dict[str, np.ndarray]:
    """Numbers that describe the distributions over actions at a sample of steps, such as probabilities."""
    block = rollout.flat.sample(SAMPLES)
    noise = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)
    outputs: Tensor = policy.bind(rollout.learners)(block.gather(rollout.observations), noise)
    outputs = policy.masked(outputs, rollout.action_masks_at(block))
    found = policy.head.summaries(outputs, names)
    return {f"policy/{name}": numbers[block.valid].cpu().numpy() for name, numbers in found.items()}
