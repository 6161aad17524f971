"""The group `normalization`: which quantities are normalised, and over what. The choices can be combined."""

from __future__ import annotations

from pg_experiments.normalization.choices import Normalization
from pg_experiments.normalization.observations import add_observations
from pg_experiments.normalization.rewards import RewardScale
from pg_experiments.normalization.standardize import standardize

__all__ = ["OPTIONS", "Normalization", "RewardScale", "add_observations", "standardize"]

PRESETS = ("none", "returns", "advantages", "observations", "running")  # each sets the same keys
OPTIONS: dict[str, type] = dict.fromkeys(PRESETS, Normalization)
