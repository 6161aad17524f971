"""The result of a comparison, and the function that computes it from run directories.

comparison = compare_runs(["multirun/DATE/TIME"])
print(comparison.headline[0])
for row in comparison.configurations.rows:
    print(row.label, row.seeds, row.steps.value)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from pg_experiments.comparison import notes
from pg_experiments.comparison.excluded import failed, not_counted
from pg_experiments.comparison.factors import Factor, factors, one_factor
from pg_experiments.comparison.grouping import ABSENT, Grouping, find_reference, group
from pg_experiments.comparison.headline import headline
from pg_experiments.comparison.origin import commands
from pg_experiments.comparison.outcomes import outcomes
from pg_experiments.comparison.records import Run, read_runs
from pg_experiments.comparison.summary import Summary, summarise
from pg_experiments.support.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_KEYS = 3  # in a title


class NothingCounts(UserError):  # noqa: N818  (named after the condition)
    """No run of a comparison counts. `excluded` has the runs, each with the reason."""

    excluded: Sequence[tuple[Run, str]] = ()


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison says. Console, Markdown, CSV and HTML are made from it."""

    title: str  # the question: what was varied, and on which environment
    headline: tuple[str, ...]  # the answer, the most important sentence first
    configurations: Summary  # a row for each configuration; for each value of `by`, where that was given
    factors: tuple[Factor, ...]  # each key that was varied, averaged over the others; none where there is one key
    varied: Mapping[str, tuple[str, ...]]  # key -> its values, in the order of the runs
    fixed: Mapping[str, str]  # settings that all configurations share
    warnings: list[str]  # what a reader must know before believing it
    notes: tuple[str, ...]  # how the numbers were computed
    failed: tuple[tuple[Run, str], ...]  # runs with seeds that failed and count, each with the reason
    excluded: tuple[tuple[Run, str], ...]  # runs and seeds that do not count, each with the reason
    commands: tuple[str, ...]  # shell commands that made the runs, as far as they are recorded

    def figures(self) -> dict[str, Figure]:
        """The figures, drawn anew: `curves`, `to_threshold` and `performance_profile`."""
        from pg_experiments.comparison import plots  # deferred: matplotlib takes a second to import

        return plots.figures(self.configurations)


def compare_runs(
    directories: Sequence[str | PathLike[str]],
    *,
    by: str | None = None,
    metrics: Sequence[str] = ("mean_return",),
    threshold: float | None = None,
    reference: str | None = None,
) -> Comparison:
    """Compare the runs in some directories. Nothing is written, and no code from the directories is executed.

    Args:
        directories: sweeps or runs; every `result.json` below them is one run.
        by, metrics, threshold, reference: as those of `pg_experiments.compare`.

    Raises:
        pg_experiments.UserError: there is no run, or an argument names a key, metric or group that the runs do not
            have. `NothingCounts`, a subclass: no run counts.
    """
    paths = [Path(directory) for directory in directories]
    runs = read_runs(paths, metrics)
    grouping = group(runs, by)
    found = outcomes(grouping.groups, metrics, threshold)
    excluded = not_counted(grouping, found)
    if not found.groups:
        count = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}"
        error = NothingCounts(f"sweep={','.join(map(str, paths))}: {count}, and none counts")
        error.excluded = excluded
        raise error
    wanted = find_reference([of_group for of_group, _ in found.groups], reference)
    summary = summarise(grouping, found, threshold, wanted)
    swept = factors(grouping, found, threshold) if by is None else ()
    alone = () if by is None else (one_factor(grouping, summary),)
    return Comparison(
        title=_title(grouping),
        headline=tuple(headline(summary, swept, [*swept, *alone])),
        configurations=summary,
        factors=swept,
        varied=_varied(grouping),
        fixed=grouping.fixed,
        warnings=notes.warnings(summary, swept),
        notes=tuple(notes.notes(summary, swept)),
        failed=tuple(failed(found)),
        excluded=tuple(excluded),
        commands=tuple(commands(paths)),
    )


def _title(grouping: Grouping) -> str:
    """The keys that were varied, and the environment."""
    fixed = grouping.fixed
    keys = [grouping.by] if grouping.by is not None else list(grouping.keys)
    more = f" and {len(keys) - MOST_KEYS} more settings" if len(keys) > MOST_KEYS else ""
    environment = fixed.get("env.id") or fixed.get("env.game") or fixed.get("env")
    where = f" on {environment}" if environment else ""
    if not keys:
        return f"One configuration{where}"
    others = ", ".join(key for key in grouping.keys if key != grouping.by) if grouping.by is not None else ""
    return f"{' × '.join(keys[:MOST_KEYS])}{more}{where}{f', averaged over {others}' if others else ''}"


def _varied(grouping: Grouping) -> dict[str, tuple[str, ...]]:
    """The distinct values of each key that distinguishes configurations."""
    values = {key: [settings.get(key, ABSENT) for settings in grouping.configurations] for key in grouping.keys}
    return {key: tuple(dict.fromkeys(repeated)) for key, repeated in values.items()}
