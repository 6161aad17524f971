"""The final metrics of a run, which TensorBoard shows beside its hyperparameters."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

FINAL_METRICS = ["final/return", "final/solved", "final/episodes_to_solve", "final/env_steps", "final/wall_time_s"]


def final_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """Their values from the content of `result.json`."""
    seeds = result["seeds"]
    to_solve = [seed["episodes_to_solve"] for seed in seeds if seed["solved"]]
    values = [
        math.nan if result["objective"] is None else result["objective"],
        statistics.fmean(float(seed["solved"]) for seed in seeds),
        statistics.median(to_solve) if to_solve else math.nan,
        float(result["env_steps"]),
        float(result["wall_time_s"]),
    ]
    return dict(zip(FINAL_METRICS, values, strict=True))
