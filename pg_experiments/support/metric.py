"""A number that is recorded with every update: whoever computes it declares it."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A column of `metrics.csv`, and a curve in TensorBoard."""

    name: str  # of the column
    unit: str  # for people
    tag: str  # in TensorBoard
