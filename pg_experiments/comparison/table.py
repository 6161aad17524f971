"""Tables of a comparison: for a terminal, as CSV, and as Markdown."""

from __future__ import annotations

import csv
import html
import io
import math
import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pg_experiments.comparison.statistics import Estimate
from pg_experiments.comparison.summary import FEWEST_SEEDS, Pair, Row, Summary
from pg_experiments.comparison.wording import better, duration, number, probability, whole, with_interval

# first characters of a formula in spreadsheets, including their full-width forms
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
SOONER = ("probability_of_fewer_steps", "p_of_steps")  # columns about steps to the threshold, against the reference


def header(summary: Summary) -> list[str]:
    """The names of the columns."""
    finals = ["final return" if metric == "mean_return" else f"final {metric}" for metric in summary.metrics]
    return [
        "configuration",
        "seeds",
        *finals,
        f"P({better(summary)})",
        "solved",
        "episodes",
        "steps",
        "steps/s",
        "wall time",
    ]


def cells(summary: Summary) -> list[list[str]]:
    """A row of texts for each group."""
    return [_cells(summary, index, row) for index, row in enumerate(summary.rows)]


def _cells(summary: Summary, index: int, row: Row) -> list[str]:
    pair = summary.against_reference.get(index)
    return [
        row.group.label,
        str(row.seeds),
        *(with_interval(final, number) for final in row.finals.values()),
        "reference" if pair is None else _improvement(pair),
        with_interval(row.solved, probability),
        with_interval(row.episodes, whole),
        with_interval(row.steps, whole),
        whole(row.steps_per_second),
        duration(row.wall_time_s),
    ]


def _improvement(pair: Pair) -> str:
    if min(pair.seeds) < FEWEST_SEEDS:
        return "too few" if max(pair.seeds) else ""
    return with_interval(pair.improvement, probability)


def rich_tables(summary: Summary, width: int) -> list[Table]:
    """Tables for a terminal with `width` columns. Intervals are below values; two tables where one is too wide."""
    names, rows = header(summary), cells(summary)
    middle = names.index("episodes")
    whole = _rich_table(summary, names, rows, range(1, len(names)))
    if Console(width=1000).measure(whole).maximum <= width:
        return [whole]
    return [_rich_table(summary, names, rows, part) for part in (range(1, middle), range(middle, len(names)))]


def _rich_table(summary: Summary, names: Sequence[str], rows: Sequence[Sequence[str]], part: range) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(names[0]), overflow="fold")
    for column in part:
        table.add_column(Text(names[column]), justify="right", no_wrap=True)
    for row, texts in zip(summary.rows, rows, strict=True):
        numbers = (texts[column].replace(" [", "\n[") for column in part)
        table.add_row(Text("\n".join(row.group.lines)), *map(Text, numbers))
    return table


def as_csv(summary: Summary) -> str:
    """One row per group with plain numbers: `inf` for a threshold that was not reached, an empty cell for no value.

    A text that a spreadsheet would evaluate as a formula is prefixed with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = list(dict.fromkeys(key for row in summary.rows for key in row.group.settings))
    estimates = [f"final_{metric}" for metric in summary.metrics]
    estimates += ["probability_of_improvement", "solved", "episodes_to_threshold", "steps_to_threshold"]
    columns = [f"{name}{end}" for name in estimates for end in ("", "_low", "_high")]
    last = ["p", "verdict", *SOONER, "steps_per_second", "wall_time_s"]
    writer.writerow(map(_inert, [*keys, "seeds", "failed", *columns, *last]))
    for index, row in enumerate(summary.rows):
        pair = summary.against_reference.get(index)
        improvement = Estimate(math.nan, math.nan, math.nan) if pair is None else pair.improvement
        numbers = [end for one in _estimates(row, improvement) for end in one]
        judged = ["", "reference", "", ""]
        if pair is not None:
            judged = [_plain(pair.p), pair.verdict, _plain(pair.sooner), _plain(pair.sooner_p)]
        writer.writerow(
            [
                *(_inert(row.group.settings.get(key, "")) for key in keys),
                row.seeds,
                row.failed,
                *map(_plain, numbers),
                *judged,
                _plain(row.steps_per_second),
                _plain(row.wall_time_s),
            ]
        )
    return out.getvalue()


def _inert(text: str) -> str:
    """Prefix a text that a spreadsheet would evaluate as a formula with an apostrophe; numbers are unchanged."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _estimates(row: Row, improvement: Estimate) -> Iterator[Estimate]:
    yield from row.finals.values()
    yield from (improvement, row.solved, row.episodes, row.steps)


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def as_markdown(rows: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """A Markdown table with escaped cells."""
    lines = [names, ["---", *("---:" for _ in names[1:])], *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def escaped(text: str) -> str:
    """Escape a text for Markdown, on one line."""
    one_line = " ".join(text.split())
    return html.escape(re.sub(r"([\\`*\[\]|~])", r"\\\1", one_line), quote=False)
