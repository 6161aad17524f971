"""The jobs of a grid sweep. They are counted before they are enumerated."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep

from pg_experiments.support.errors import UserError

MOST_JOBS = 100_000  # of a sweep; Hydra composes all jobs before the first one starts, some 20 ms each


def jobs_of(overrides: Sequence[str], loader: ConfigLoader) -> list[list[str]]:
    """The overrides of each job of a grid sweep. `loader` knows the options that `glob(*)` stands for.

    Raises:
        UserError: there are no jobs, or too many.
        HydraException: the overrides are not a grid sweep.
    """
    parser = OverridesParser.create(config_loader=loader)
    parsed = parser.parse_overrides(list(overrides))
    swept = {override.get_key_element(): override for override in parsed if override.is_discrete_sweep()}
    counts = {key: _count(override) for key, override in swept.items()}
    if empty := [key for key, count in counts.items() if count == 0]:
        raise UserError(f"{swept[empty[0]].input_line}: has no values, and the sweep no jobs; expected at least one")
    if (total := math.prod(counts.values())) > MOST_JOBS:
        largest = max(counts, key=lambda key: counts[key])
        raise UserError(
            f"{swept[largest].input_line}: a sweep of {total:,} jobs; expected at most {MOST_JOBS:,} of them"
        )
    return BasicSweeper.split_arguments(parsed, None)[0]


def _count(override: Override) -> float:
    """The number of values that an override sweeps over. A range is not expanded."""
    value = override.value()
    if not isinstance(value, RangeSweep):
        return sum(1 for _ in override.sweep_iterator())
    start, stop, step = value.start or 0, value.stop or 0, value.step
    if not step:
        raise UserError(f"{override.input_line}: expected a step other than 0")
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return max(0, -((start - stop) // step))
    count = (stop - start) / step
    if math.isnan(count):
        raise UserError(f"{override.input_line}: expected numbers")
    return max(0, math.ceil(count)) if math.isfinite(count) else max(0, count)
