"""Estimators side by side as tables: for the console, as Markdown and as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from pg_experiments.comparison.as_csv import csv_text, plain
from pg_experiments.comparison.as_markdown import escaped
from pg_experiments.comparison.as_markdown import table as markdown_table
from pg_experiments.comparison.statistics import Estimate
from pg_experiments.estimators.catalogue import REINFORCE
from pg_experiments.estimators.measuring import Row, Variances

HEADER = ("estimator", "variance", "bias", "bias / error", "SNR", "episodes", "length")
LEGEND = (
    "variance: trace of the covariance of one episode's gradient, relative to plain REINFORCE (the first row).",
    "bias: distance of the mean from that of an unbiased one (reward-to-go, value), relative to its length, without "
    "what noise adds; and in standard errors, which is about 1 without a bias.",
    "SNR: length of the mean by the standard deviation of one episode's gradient.",
    "episodes: how many are needed for the SNR that plain REINFORCE has with all of these episodes.",
    "length: of the mean along the true gradient, relative to it. Estimators that normalise are divided by it before "
    "variance and bias are computed, as their units are their own.",
    "Intervals are 95 %, from a bootstrap over batches. A dash is where noise hides the number.",
)


def cells(found: Variances) -> list[list[str]]:
    """A row of texts for each estimator."""
    return [_cells(found, row) for row in found.rows]


def _cells(found: Variances, row: Row) -> list[str]:
    measured = row.measured
    is_first = row.description.name == REINFORCE
    episodes = Estimate(*(end * found.episodes for end in measured.episodes))
    return [
        row.description.name,
        "1" if is_first else _with_interval(measured.variance),
        _with_interval(measured.bias),
        _short(measured.bias_in_errors),
        _with_interval(measured.snr),
        str(found.episodes) if is_first else _with_interval(episodes),
        "1" if row.description.is_unbiased else _short(measured.length),
    ]


def _with_interval(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "–"
    return f"{_short(estimate.value)} [{_short(estimate.low)}, {_short(estimate.high)}]"


def _short(value: float) -> str:
    """Three significant digits from 1 on, two below."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"


def rich_table(found: Variances) -> Table:
    """For the console."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(HEADER):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in cells(found):
        table.add_row(*map(Text, row))
    return table


def headline(found: Variances) -> list[str]:
    """What there is to say in sentences."""
    low, high = (found.signal.low, found.signal.high)
    sentences = [
        f"{found.episodes} episodes in batches of {found.batch}: mean return {found.mean_return:.4g}, mean length "
        f"{found.mean_length:,.0f} steps; {found.settings}."
    ]
    unbiased = [row for row in found.rows if row.description.is_unbiased]
    least = min(unbiased, key=lambda row: row.measured.variance.value)
    variance = least.measured.variance
    sentences.append(
        f"The unbiased estimator with the least variance is {least.description.name}: "
        f"{_with_interval(variance)} times that of plain REINFORCE."
    )
    if not low > 1:
        signal = f"{_short(found.signal.value)} [{_short(low)}, {_short(high)}]"
        sentences.append(
            f"The squared length of the true gradient is {signal} times the "
            "noise in the mean of all episodes: biases and SNRs are hardly known. More episodes help."
        )
    return sentences


def markdown(found: Variances, picture: str) -> str:
    """The whole result."""
    parts = [f"# {escaped(found.title)}\n", _bullets([*headline(found), *found.notes])]
    parts.append(markdown_table(cells(found), HEADER))
    parts.append(_bullets(LEGEND))
    if found.left_out:
        rows = [[each.name, each.reason] for each in found.left_out]
        parts.append("## Left out\n\n" + markdown_table(rows, ("estimator", "why")).replace("---:", "---"))
    parts.append(f"![Variance against bias]({picture})\n")
    return "\n".join(parts)


def _bullets(texts: Sequence[str]) -> str:
    return "".join(f"* {escaped(text)}\n" for text in texts)


def as_csv(found: Variances) -> str:
    """A row for each estimator, and for each that is left out."""
    estimates = ("relative_variance", "relative_bias", "snr", "episodes_relative_to_reinforce")
    columns = [f"{name}{end}" for name in estimates for end in ("", "_low", "_high")]
    first = ["estimator", "returns", "discount", "baseline", "normalization", "unbiased"]
    rows = [[*first, *columns, "bias_in_standard_errors", "relative_length", "left_out_because"]]
    for description, measured in found.rows:
        values = (measured.variance, measured.bias, measured.snr, measured.episodes)
        rows.append(
            [
                description.name,
                description.returns,
                plain(description.discount),
                description.baseline or "none",
                description.normalization or "none",
                "yes" if description.is_unbiased else "no",
                *(plain(end) for estimate in values for end in estimate),
                plain(measured.bias_in_errors),
                plain(measured.length),
                "",
            ]
        )
    rows += [[each.name, *[""] * (len(rows[0]) - 2), each.reason] for each in found.left_out]
    return csv_text(rows)
