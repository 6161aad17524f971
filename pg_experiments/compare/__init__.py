"""Comparing runs from Python. `python -m pg_experiments.compare` is the command."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pg_experiments.comparison.comparison import Comparison
    from pg_experiments.evaluation.loaded_run import LoadedRun


def compare(
    runs: str | PathLike[str] | Sequence[str | PathLike[str] | LoadedRun],
    *,
    by: str | None = None,
    metrics: Sequence[str] = ("mean_return",),
    threshold: float | None = None,
    reference: str | None = None,
) -> Comparison:
    """Compare runs, as `python -m pg_experiments.compare` does. Nothing is printed or written.

    Args:
        runs: the directory of a sweep; or a list of directories of runs or sweeps, and of loaded runs. All seeds of a
            run are compared.
        by: a key whose values are compared, averaged over the other settings; None: configurations are compared.
        metrics: columns of `metrics.csv`; more of the first one is better.
        threshold: value of the first metric; None: each run's own `env.threshold`.
        reference: settings such as `baseline=none` of the group that `P(better)` refers to; None: the first group.

    Returns:
        The comparison: `headline`, `configurations.rows` with an interval for each measure, `factors`, and `figures()`,
        which draws Matplotlib's figures.

    Raises:
        pg_experiments.UserError: there is no run, none counts, or an argument names a key, metric or group that the
            runs do not have.
    """
    from pg_experiments.comparison.comparison import compare_runs  # deferred: slow

    given = [runs] if isinstance(runs, str | PathLike) else runs
    paths = [run if isinstance(run, str | PathLike) else run.path for run in given]
    return compare_runs(paths, by=by, metrics=metrics, threshold=threshold, reference=reference)
