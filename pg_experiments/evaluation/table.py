"""Terminal table of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from pg_experiments.comparison.wording import number, with_interval
from pg_experiments.evaluation.summary import Numbers, Way

NUMBERS = ("mean return", "std", "interquartile mean", "worst", "best", "length")
NOTE = (
    "greedy: the most probable action, dropout off. sampling: drawn as in training, dropout on. Intervals are 95 %, "
    "over episodes: they say what these parameters do in other episodes, not what other seeds would have learned."
)


def rich_table(ways: Sequence[Way]) -> Table:
    """A row for each way of acting and seed. With several seeds, rows for all seeds pooled come first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("seed")
    table.add_column("acting")
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for way in ways:
        episodes = list(way.played.values())
        if len(episodes) > 1:
            _add(table, "all", way, Numbers.of(episodes))
    for way in ways:
        for seed, own in way.played.items():
            _add(table, str(seed), way, Numbers.of([own]))
    return table


def _add(table: Table, seed: str, way: Way, numbers: Numbers) -> None:
    cells = [
        number(numbers.mean),
        "" if numbers.std != numbers.std else number(numbers.std),
        with_interval(numbers.interquartile_mean, number),
        number(numbers.worst),
        number(numbers.best),
        number(numbers.mean_length),
    ]
    table.add_row(seed, way.name, *map(Text, cells))
