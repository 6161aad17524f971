"""The linear recursion backwards in time that returns are computed with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pg_experiments.tensors.compiled import compiled


def backward_recursion(constants: Tensor, weights: Tensor) -> Tensor:
    """y_t = c_t + w_t · y_{t+1}, with 0 after the last step: [T, *batch] -> [T, *batch].

    In torch, a step takes some µs for any number of columns, and batches of episodes have few. float32 on the CPU
    therefore has a compiled loop, with the same bits.
    """
    if constants.device.type == "cpu" and constants.dtype == weights.dtype == torch.float32:
        results = np.empty((len(constants), constants[0].numel()), dtype=np.float32)
        _recursion(*(np.ascontiguousarray(x.detach().flatten(1).numpy()) for x in (constants, weights)), results)
        return torch.from_numpy(results).view(constants.shape)
    results_of_torch = torch.empty_like(constants)
    running = torch.zeros_like(constants[0])
    steps = zip(*(reversed(x.unbind(0)) for x in (constants, weights, results_of_torch)), strict=True)
    for constant, weight, out in steps:
        running = torch.addcmul(constant, weight, running, out=out)
    return results_of_torch


@compiled("float32[:, ::1]", "float32[:, ::1]", "float32[:, ::1]")
def _recursion(constants, weights, results):  # type: ignore[no-untyped-def]
    """Rounds once per step, as torch's fused multiply-add: products of float32 numbers are exact in float64."""
    steps, columns = constants.shape
    for i in range(columns):
        results[steps - 1, i] = constants[steps - 1, i]
    for t in range(steps - 2, -1, -1):
        for i in range(columns):
            product = np.float64(weights[t, i]) * np.float64(results[t + 1, i])
            results[t, i] = np.float32(np.float64(constants[t, i]) + product)
