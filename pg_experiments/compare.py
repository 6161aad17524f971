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
Compare the runs of a sweep: interquartile means, 95 % intervals, and which configurations can be distinguished.

  python -m pg_experiments.compare sweep=multirun/DATE/TIME
  python -m pg_experiments.compare sweep=multirun/first,multirun/second by=policy.hidden
  python -m pg_experiments.compare sweep=multirun/DATE/TIME reference='baseline=none' threshold=400

sweep=DIR[,DIR…]      sweeps or runs, of any launcher; every result.json below them is one run
by=KEY                group by this key and average over the others, as by=policy.hidden
metric=NAME[,NAME…]   columns of metrics.csv (mean_return); the first decides what is better, and more is
threshold=X           when the first metric has reached X; left out, when a run was solved by its own env.threshold
reference='KEY=VALUE' what the others are compared with: the first group that has these settings; left out, the first

Into the (first) directory it writes comparison.csv, comparison.md, curves.png, performance_profile.png,
to_threshold.png, and report.html, which has all of it in one page. A text in comparison.csv that a spreadsheet would
take for a formula begins with an apostrophe. A run that cannot be read is listed with the reason."""


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
        from pg_experiments.comparison import console, grouping, origin, outcomes, records, report, summary

    directories = [Path(directory) for directory in arguments.sweep]
    metrics = arguments.metric or ["mean_return"]
    runs = records.read_runs(directories, metrics)
    grouped = grouping.group(runs, arguments.by)
    found = outcomes.outcomes(grouped.groups, metrics, arguments.threshold)
    if not found.groups:
        console.show_not_counted(grouped, found)
        raise UserError(
            f"sweep={','.join(arguments.sweep)}: {len(runs)} {'run' if len(runs) == 1 else 'runs'}, and none counts"
        )
    reference = grouping.find_reference([counted for counted, _ in found.groups], arguments.reference)
    result = summary.summarise(grouped, found, arguments.threshold, arguments.by, reference)
    console.show(result)

    with deferred():
        from pg_experiments.comparison import plots  # matplotlib takes a second to import

    names = report.write_report(directories[0], result, plots.pictures(result), origin.commands(directories))
    console.show_files(directories[0], names)


def main() -> None:
    """The command."""
    answer(HELP, lambda arguments: compare(parse(arguments)))


if __name__ == "__main__":
    main()
