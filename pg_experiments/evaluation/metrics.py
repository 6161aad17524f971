"""Reads `metrics.csv` of a run as arrays. The file is not trusted: a cell that is no number is an error."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pg_experiments.support.errors import one_line, shown
from pg_experiments.support.files import METRICS_LIMIT, Directory, FileError
from pg_experiments.support.run_directory import METRICS

LONGEST_SEED = 100  # digits
MOST_CELLS = 100_000_000  # of the table, and of one array
KEYS = ("update", "seed")  # columns of whole numbers that say which update and seed a row is of


class Table(NamedTuple):
    """The content of the file: a row for each update, or several of them, and seed."""

    columns: tuple[str, ...]
    rows: np.ndarray  # [rows, columns] float64; NaN for an empty cell
    seeds: list[int]  # of each row; exact, as a seed may be larger than float64 represents

    def column(self, name: str) -> np.ndarray:
        """[rows] of one column."""
        column: np.ndarray = self.rows[:, self.columns.index(name)]
        return column


def read_table(directory: Directory) -> Table:
    """Read all rows.

    Raises:
        FileError: the file cannot be read, or is damaged.
    """
    lines = csv.reader(directory.lines(METRICS, METRICS_LIMIT))
    cells, seeds = array("d"), list[int]()
    try:
        header = tuple(next(lines, []))
        if len(set(header)) < len(header) or not set(KEYS) <= set(header):
            raise ValueError("it has no columns update and seed, or two of the same name")
        for number, row in enumerate(lines, 2):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} cells, the header {len(header)}")
            seeds.append(_seed(row[header.index("seed")]))
            cells.extend(float(cell or "nan") for cell in row)
            if len(cells) > MOST_CELLS:
                raise ValueError(f"it has more than {MOST_CELLS:,} cells, the most that is read of it")
    except (ValueError, csv.Error) as error:
        raise FileError(f"{directory.path / METRICS}: is damaged ({one_line(str(error))})") from None
    return Table(header, np.array(cells).reshape(-1, len(header)), seeds)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_SEED:
        raise ValueError(f"seed={shown(text)}: expected a whole number")
    return int(text)


def by_update_and_seed(table: Table, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """The columns of a table by update and seed.

    Returns:
        `update` [U] and `seed` [R], integers; every other column by its name, [U, R] float64. NaN where the cell is
        empty, or the seed did not take part in the update.

    Raises:
        ValueError: a row is of another seed, is there twice, or the arrays would be too large.
    """
    updates, rows = np.unique(table.column("update"), return_inverse=True)
    places = {seed: place for place, seed in enumerate(seeds)}
    if not set(table.seeds) <= set(places) or not np.isfinite(updates).all():
        raise ValueError("a row is of none of the run's seeds, or of no update")
    if len(updates) * len(seeds) > MOST_CELLS:
        raise ValueError(f"{len(updates)} updates of {len(seeds)} seeds are more than {MOST_CELLS:,} cells")
    columns = np.array([places[seed] for seed in table.seeds], dtype=np.int64)
    if len(np.unique(rows * len(seeds) + columns)) < len(rows):
        raise ValueError("an update of a seed is there twice")
    arrays = {"update": updates.astype(np.int64), "seed": np.array(seeds)}
    for name in table.columns:
        if name not in KEYS:
            arrays[name] = np.full((len(updates), len(seeds)), np.nan)
            arrays[name][rows, columns] = table.column(name)
    return arrays
