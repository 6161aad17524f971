"""Declaration of a metric that is recorded with every update."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A column of `metrics.csv`, and a curve in TensorBoard."""

    name: str  # column of `metrics.csv`
    unit: str  # for display
    tag: str  # in TensorBoard
