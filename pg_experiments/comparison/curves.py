"""Reads `metrics.csv`: the compared columns of each seed."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pg_experiments.support.errors import UserError, by_nearness, one_line, shown
from pg_experiments.support.files import METRICS_LIMIT, Directory, FileError

METRICS = "metrics.csv"
COUNTS = ("seed", "env_steps", "episodes")  # columns of whole numbers
MOST_ROWS = 5_000_000  # some 200 MB of numbers
LARGEST_COUNT = 2**53  # up to which float64 represents every integer
LARGEST_VALUE = 1e100  # its square is finite


class NoSuchColumn(UserError):  # noqa: N818  (named after the condition)
    """A requested metric is not a column of a run's `metrics.csv`."""


@dataclass
class Curve:
    """The rows of one seed."""

    env_steps: array[int] = field(default_factory=lambda: array("q"))
    episodes: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))  # row by row; NaN for an empty cell
    wrong: str | None = None  # the first value that is not finite; accepted only for a seed that failed

    def columns(self, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Each column as an array [U] float64."""
        table = np.array(self.values).reshape(-1, len(names))
        return {name: table[:, index].copy() for index, name in enumerate(names)}


def read_curves(directory: Directory, columns: Sequence[str], seeds: Collection[int]) -> dict[int, Curve]:
    """Read the curve of each of these seeds. Seeds are integers of any size, so that distinct ones never coincide.

    Raises:
        FileError: the file cannot be read, or its content is not that of a run.
        NoSuchColumn: the file does not have one of the columns.
    """
    rows = _rows(directory)
    header = next(rows, None)
    if header is None:
        raise FileError(f"{directory.path / METRICS}: is empty")
    counts, wanted = _places(directory, header, columns)
    curves = {seed: Curve() for seed in seeds}
    for number, row in enumerate(rows, 2):
        if number > MOST_ROWS:
            raise FileError(
                f"{directory.path / METRICS}: has more than {MOST_ROWS:,} rows, the most that is read of it"
            )
        try:
            _add(curves, number, [row[place] for place in counts], [row[place] for place in wanted], columns)
        except IndexError:
            raise _damaged(directory, f"row {number} has {len(row)} cells, the header {len(header)}") from None
        except ValueError as error:
            raise _damaged(directory, f"row {number}: {error}") from None
    return curves


def _rows(directory: Directory) -> Iterator[list[str]]:
    try:
        yield from csv.reader(directory.lines(METRICS, METRICS_LIMIT))
    except csv.Error as error:
        raise _damaged(directory, str(error)) from None


def _damaged(directory: Directory, why: str) -> FileError:
    return FileError(f"{directory.path / METRICS}: is damaged ({one_line(why)})")


def _places(directory: Directory, header: Sequence[str], columns: Sequence[str]) -> tuple[list[int], list[int]]:
    """The indices in a row of the counts, and of the columns."""
    for column in COUNTS:
        if column not in header:
            raise _damaged(directory, f"it has no column {column}")
    for column in columns:
        if column not in header:
            near = ", ".join(map(shown, by_nearness(column, header)[:20]))
            raise NoSuchColumn(f"metric={shown(column)}: no such column; {directory.path / METRICS} has {near}")
    return [header.index(column) for column in COUNTS], [header.index(column) for column in columns]


def _add(
    curves: dict[int, Curve], number: int, counts: Sequence[str], values: Sequence[str], columns: Sequence[str]
) -> None:
    """Add a row to its seed's curve. Raises ValueError where a count is invalid or decreases."""
    seed = _whole("seed", counts[0])
    curve = curves.get(seed)
    if curve is None:
        return
    for name, text, so_far in (("env_steps", counts[1], curve.env_steps), ("episodes", counts[2], curve.episodes)):
        count = _whole(name, text)
        if count > LARGEST_COUNT:
            raise ValueError(f"{name}={shown(text)}: expected at most {LARGEST_COUNT}")
        if so_far and count < so_far[-1]:
            raise ValueError(f"{name}={count} of seed {seed}: was {so_far[-1]} before, and cannot fall")
        so_far.append(count)
    for name, text in zip(columns, values, strict=True):
        value = float(text) if text else math.nan
        if text and not abs(value) <= LARGEST_VALUE:
            curve.wrong = curve.wrong or f"row {number}: {name}={shown(text)} is not a finite number up to 1e100"
            value = math.nan
        curve.values.append(value)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 100:
        raise ValueError(f"{name}={shown(text)}: expected a whole number at least 0")
    return int(text)
