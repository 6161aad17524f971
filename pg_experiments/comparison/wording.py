"""Formats numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from pg_experiments.comparison.statistics import Estimate


def number(value: float) -> str:
    """Format a return, or another metric."""
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def whole(value: float) -> str:
    """Format a number of steps or episodes."""
    return "not reached" if math.isinf(value) else f"{value:,.0f}"


def probability(value: float) -> str:
    """Format a fraction or a probability."""
    return f"{value:.2f}"


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def with_interval(estimate: Estimate, write: Callable[[float], str]) -> str:
    """Format an estimate as `value [low, high]`, or as the value where there is no interval."""
    if math.isinf(estimate.low) or math.isnan(estimate.low):
        return write(estimate.value)
    high = "∞" if math.isinf(estimate.high) else write(estimate.high)
    return f"{write(estimate.value)} [{write(estimate.low)}, {high}]"


def short_p(p: float) -> str:
    """A p-value with one significant digit, which the rounding of another machine seldom changes."""
    return "p < 0.001" if p < 0.001 else f"p ≈ {p:.1g}"
