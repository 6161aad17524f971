"""A comparison as CSV, with plain numbers: `inf` for a threshold that was not reached, an empty cell for no value.

A text that a spreadsheet would evaluate as a formula is prefixed with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence

from pg_experiments.comparison.factors import Factor
from pg_experiments.comparison.headline import more_seeds
from pg_experiments.comparison.summary import NOTHING, Contrast, Summary

# first characters of a formula in spreadsheets, including their full-width forms
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
OF_PAIRS = ["compared", "first", "second", "seeds_of_first", "seeds_of_second", "measure", "leads"]
OF_PAIRS += ["probability_that_second_is_better", "low", "high", "p", "verdict_on_second"]


def groups_csv(summary: Summary) -> str:
    """One row for each group, in the order of the runs. Verdicts are by the leading measure."""
    keys = list(dict.fromkeys(key for row in summary.rows for key in row.settings))
    estimates = [f"final_{metric}" for metric in summary.metrics]
    estimates += ["probability_of_improvement", "solved", "episodes_to_threshold", "steps_to_threshold"]
    columns = [f"{name}{end}" for name in estimates for end in ("", "_low", "_high")]
    judged = ["p", "probability_of_fewer_steps", "p_of_steps", "leading_measure", "verdict", "best", "more_seeds"]
    rows = [[*keys, "seeds", "failed", *columns, *judged, "steps_per_second", "wall_time_s"]]
    for index, row in enumerate(summary.rows):
        final, steps = (_with_reference(summary, index, steps) for steps in (False, True))
        values = [*row.finals.values(), final.probability if final else NOTHING, row.solved, row.episodes, row.steps]
        lead = steps if summary.measures[0].metric is None else final
        best = summary.contrast(index, summary.best)
        rows.append(
            [
                *(row.settings.get(key, "") for key in keys),
                str(row.seeds),
                str(row.failed),
                *(plain(end) for estimate in values for end in estimate),
                plain(final.p if final else math.nan),
                plain(steps.probability.value if steps else math.nan),
                plain(steps.p if steps else math.nan),
                summary.measures[0].name,
                "reference" if index == summary.reference else lead.verdict if lead else "",
                "best" if index == summary.best else best.verdict if best else "",
                plain(math.nan if index == summary.best else more_seeds(summary, index)),
                plain(row.steps_per_second),
                plain(row.wall_time_s),
            ]
        )
    return csv_text(rows)


def _with_reference(summary: Summary, index: int, steps: bool) -> Contrast | None:
    """The contrast with the reference by the first metric's final value, or by the steps to the threshold."""
    for number, measure in enumerate(summary.measures):
        if (measure.metric is None) == steps:
            return summary.contrast(index, summary.reference, number)
    return None


def pairs_csv(configurations: Summary, factors: Sequence[Factor]) -> str:
    """One row for each pair of groups and measure, of the configurations and of the values of each factor."""
    rows = [OF_PAIRS]
    rows += _of_pairs(configurations, configurations.grouping.by or "configurations")
    for factor in factors:
        rows += _of_pairs(factor.summary, factor.key)
    return csv_text(rows)


def _of_pairs(summary: Summary, compared: str) -> Iterator[list[str]]:
    for pair in summary.pairs:
        for measure, contrast in zip(summary.measures, pair.contrasts, strict=True):
            leads = "yes" if measure == summary.measures[0] else "no"
            labels = [summary.rows[index].label for index in (pair.first, pair.second)]
            numbers = [plain(value) for value in (*contrast.probability, contrast.p)]
            yield [compared, *labels, *map(str, pair.seeds), measure.name, leads, *numbers, contrast.verdict]


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """The content of a CSV file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(map(_inert, row) for row in rows)
    return out.getvalue()


def _inert(text: str) -> str:
    """Prefix a text that a spreadsheet would evaluate as a formula with an apostrophe; numbers are unchanged."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def plain(value: float) -> str:
    """A number with six digits; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.6g}"
