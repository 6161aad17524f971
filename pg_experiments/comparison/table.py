"""Tables of a comparison as texts: a row for each group, and a matrix of pairwise verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pg_experiments.comparison.measures import RETURNS, final_measure
from pg_experiments.comparison.summary import Contrast, Summary
from pg_experiments.comparison.wording import duration, number, probability, whole, with_interval

MARKS = {"none": "=", "too few seeds": "?", "nothing in common": ""}
LEGEND = (
    "In the row of a group, ++ is clearly better than the group of the column, + weak evidence of it, = cannot be told "
    "apart, − and −− worse, ? too few seeds; the number is the probability that a seed of the row is better."
)
MOST_IN_MATRIX = 12  # groups


def shown_order(summary: Summary) -> Sequence[int]:
    """The groups in the order of tables: configurations the best first, values of a factor as they were run."""
    return summary.order if summary.grouping.by is None else range(len(summary.rows))


def header(summary: Summary) -> list[str]:
    """The names of the columns."""
    final = [final_measure(metric).name for metric in summary.metrics]
    what = _what_is_better(summary)
    first = ["#", "configuration" if summary.grouping.by is None else "value", "seeds"]
    if summary.measures[0].metric is None:
        return [*first, "steps", what, "solved", *final, "episodes", "steps/s", "wall time"]
    return [*first, final[0], what, *final[1:], "solved", "steps", "episodes", "steps/s", "wall time"]


def _what_is_better(summary: Summary) -> str:
    metric = summary.measures[0].metric
    return f"P({'sooner' if metric is None else 'better' if metric in RETURNS else 'higher'})"


def cells(summary: Summary) -> list[list[str]]:
    """A row of texts for each group, in the order of `shown_order`."""
    return [_cells(summary, place, index) for place, index in enumerate(shown_order(summary), 1)]


def _cells(summary: Summary, place: int, index: int) -> list[str]:
    row = summary.rows[index]
    final = [with_interval(value, number) for value in row.finals.values()]
    steps, episodes = (with_interval(value, whole) for value in (row.steps, row.episodes))
    solved = with_interval(row.solved, probability)
    better = "reference" if index == summary.reference else _improvement(summary.contrast(index, summary.reference))
    first, last = [str(place), row.label, str(row.seeds)], [whole(row.steps_per_second), duration(row.wall_time_s)]
    if summary.measures[0].metric is None:
        return [*first, steps, better, solved, *final, episodes, *last]
    return [*first, final[0], better, *final[1:], solved, steps, episodes, *last]


def _improvement(contrast: Contrast | None) -> str:
    if contrast is None or contrast.evidence == "nothing in common":
        return ""
    return "too few" if contrast.evidence == "too few seeds" else with_interval(contrast.probability, probability)


def has_matrix(summary: Summary) -> bool:
    """Whether a matrix says more than the column of probabilities, and is not too large."""
    return 3 <= len(summary.rows) <= MOST_IN_MATRIX


def matrix(summary: Summary) -> list[list[tuple[str, str]]]:
    """For each group, in `shown_order`, its mark against each group and the probability that it is better."""
    order = shown_order(summary)
    return [[("·", "") if row == other else _mark(summary.contrast(row, other)) for other in order] for row in order]


def _mark(contrast: Contrast | None) -> tuple[str, str]:
    if contrast is None or contrast.evidence == "nothing in common":
        return "", ""
    value = contrast.probability.value
    if contrast.evidence in MARKS:
        return MARKS[contrast.evidence], probability(value)
    return ("+" if value > 0.5 else "−") * (2 if contrast.evidence == "clear" else 1), probability(value)


def rich_tables(summary: Summary, width: int) -> list[Table]:
    """Tables for a terminal with `width` columns. Intervals are below values; two tables where one is too wide."""
    names, rows = header(summary), cells(summary)
    middle = names.index("solved")
    whole_table = _rich_table(summary, names, rows, range(2, len(names)))
    tables = [whole_table]
    if Console(width=1000).measure(whole_table).maximum > width:
        tables = [_rich_table(summary, names, rows, part) for part in (range(2, middle), range(middle, len(names)))]
    return [*tables, _rich_matrix(summary)] if has_matrix(summary) else tables


def _rich_table(summary: Summary, names: Sequence[str], rows: Sequence[Sequence[str]], part: range) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(names[0]), justify="right", no_wrap=True)
    table.add_column(Text(names[1]), overflow="fold")
    for column in part:
        table.add_column(Text(names[column]), justify="right", no_wrap=True)
    for index, texts in zip(shown_order(summary), rows, strict=True):
        numbers = (texts[column].replace(" [", "\n[") for column in part)
        table.add_row(Text(texts[0]), Text("\n".join(summary.rows[index].group.lines)), *map(Text, numbers))
    return table


def _rich_matrix(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text("#"), justify="right", no_wrap=True)
    for place in range(1, len(summary.rows) + 1):
        table.add_column(Text(str(place)), justify="center", no_wrap=True)
    for place, row in enumerate(matrix(summary), 1):
        table.add_row(Text(str(place)), *(Text(f"{mark} {value}".strip()) for mark, value in row))
    return table
