"""`python -m pg_experiments.compare`: compares the configurations of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from pg_experiments.app.arguments import answer, key_values, plain
from pg_experiments.support.errors import UserError, near_directory
from pg_experiments.support.interruption import deferred

HELP = """\
Compare the runs of a sweep: the best configuration, what each swept setting does, and how sure that is.

  python -m pg_experiments.compare sweep=multirun/DATE/TIME
  python -m pg_experiments.compare sweep=multirun/first,multirun/second by=policy.hidden
  python -m pg_experiments.compare sweep=multirun/DATE/TIME reference='baseline=none' threshold=400

sweep=DIR[,DIR…]      sweeps or runs, of any launcher; every result.json below them is one run
by=KEY                only this key, averaged over the others, as by=policy.hidden; its files have names of their own
metric=NAME[,NAME…]   columns of metrics.csv (mean_return); the first decides what is better, and more is
threshold=X           when the first metric has reached X; left out, when a run was solved by its own env.threshold
reference='KEY=VALUE' what P(better) refers to: the first group that has these settings; left out, the first

Into the (first) directory it writes report.html, which has all of it in one page, comparison.md, comparison.csv,
comparison_pairs.csv, curves.png, to_threshold.png and performance_profile.png; with by=KEY, report_by_KEY.html etc.
A text in a CSV file that a spreadsheet would take for a formula begins with an apostrophe. A run that cannot be read is
listed with the reason."""


@dataclass(frozen=True)
class Arguments:
    """Arguments of a comparison, as described in `HELP`."""

    sweep: list[str]
    by: str | None = None
    metric: list[str] | None = None
    threshold: float | None = None
    reference: str | None = None


def parse(arguments: Sequence[str]) -> Arguments:
    """Parse `key=value` arguments. Paths may contain commas and equals signs, as the directories of jobs do.

    Raises:
        UserError: a key is unknown or missing, a value does not fit, or a directory does not exist.
    """
    from pg_experiments.support.typed import typed

    values: dict[str, Any] = {f.name: f.default for f in fields(Arguments) if f.default is not MISSING}
    values |= key_values(arguments, "sweep", [f.name for f in fields(Arguments)])
    if "sweep" not in values:
        raise UserError("sweep: missing; expected a directory, as sweep=multirun/DATE/TIME")
    values["sweep"] = _directories(values["sweep"])
    if isinstance(values["metric"], str):
        values["metric"] = values["metric"].split(",")
    if values["threshold"] is not None:
        values["threshold"] = plain(values["threshold"])
    checked: Arguments = typed(Arguments, values, "")
    return checked


def _directories(text: str) -> list[str]:
    """Split a list of directories at commas. Names may contain commas: the longest existing prefix is taken first."""
    parts = text.split(",")
    found = []
    while parts:
        ends = (end for end in range(len(parts), 0, -1) if Path(",".join(parts[:end])).is_dir())
        end = next(ends, None)
        if end is None or not parts[0]:
            raise UserError(f"sweep={','.join(parts)}: no such directory{near_directory(Path(parts[0]))}")
        found.append(",".join(parts[:end]))
        parts = parts[end:]
    return found


def compare(arguments: Arguments) -> None:
    """Read the runs, print the comparison and write its files.

    Raises:
        UserError: no run is done, or an argument names a key, metric or group that the runs do not have.
    """
    # deferred imports: slow, and not needed where an argument is wrong
    with deferred():
        from pg_experiments.comparison import console, report
        from pg_experiments.comparison.comparison import NothingCounts, compare_runs

    try:
        comparison = compare_runs(
            arguments.sweep,
            by=arguments.by,
            metrics=arguments.metric or ["mean_return"],
            threshold=arguments.threshold,
            reference=arguments.reference,
        )
    except NothingCounts as error:
        console.show_lists([], error.excluded)
        raise
    console.show(comparison)
    directory = Path(arguments.sweep[0])
    console.show_files(directory, report.write_report(directory, comparison))


def main() -> None:
    """The command."""
    answer(HELP, lambda arguments: compare(parse(arguments)))


if __name__ == "__main__":
    main()
