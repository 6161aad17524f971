"""Writes the files of a comparison: tables, figures, and a self-contained HTML page."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pg_experiments.comparison import plots
from pg_experiments.comparison.as_csv import groups_csv, pairs_csv
from pg_experiments.comparison.as_markdown import markdown
from pg_experiments.comparison.comparison import Comparison
from pg_experiments.comparison.excluded import listed
from pg_experiments.comparison.records import Run
from pg_experiments.comparison.summary import Summary
from pg_experiments.comparison.table import LEGEND, cells, has_matrix, header, matrix
from pg_experiments.support.errors import one_line
from pg_experiments.support.files import Directory, FileError

CAPTIONS = {
    "curves": "Learning curves, from where all seeds of one have a value. A seed that has ended keeps its last.",
    "to_threshold": "For each number of steps, the fraction of seeds that had reached the threshold by then.",
    "performance_profile": "For each final value on the x axis, the fraction of seeds that ended above it.",
}
LINKED = ("result.json", "metrics.csv", "train.log", ".hydra/config.yaml")
LONGEST_KEY = 100  # characters of a key in a file's name


def write_report(directory: Path, comparison: Comparison) -> list[str]:
    """Write all files; each is replaced atomically. Returns their names.

    Files of a comparison by one key have names of their own, so that they lie beside those of the whole comparison.
    """
    suffix = _suffix(comparison.configurations.grouping.by)
    pictures = {name: plots.png(figure) for name, figure in comparison.figures().items()}
    texts = {
        f"report{suffix}.html": page(comparison, directory, pictures),
        f"comparison{suffix}.md": markdown(comparison, directory, [f"{name}{suffix}.png" for name in pictures]),
        f"comparison{suffix}.csv": groups_csv(comparison.configurations),
        f"comparison_pairs{suffix}.csv": pairs_csv(comparison.configurations, comparison.factors),
    }
    files = {name: text.encode() for name, text in texts.items()}
    files |= {f"{name}{suffix}.png": content for name, content in pictures.items()}
    for name, content in files.items():
        Directory(directory).replace(name, methodcaller("write", content))
    return list(files)


def _suffix(by: str | None) -> str:
    """The end of file names. A key may have any characters, as it may come from a run directory."""
    return "" if by is None else "_by_" + re.sub(r"[^\w.-]", "_", by, flags=re.ASCII)[:LONGEST_KEY]


def page(comparison: Comparison, directory: Path, pictures: Mapping[str, bytes]) -> str:
    """The HTML page. Links are relative to the directory; the figures, PNG files by name, are part of the page."""
    lists = listed(comparison.failed, comparison.excluded)
    return html(
        Path(__file__).parent / "report.html.j2",
        comparison=comparison,
        legend=LEGEND,
        factors=[(factor, _table(factor.summary)) for factor in comparison.factors],
        configurations=_table(comparison.configurations),
        pictures=[(CAPTIONS[name], base64.b64encode(content).decode()) for name, content in pictures.items()],
        runs=[_linked(run, directory) for row in comparison.configurations.rows for run in row.group.runs],
        listed={heading: [(_linked(run, directory), why) for run, why in runs] for heading, runs in lists.items()},
    )


def html(template: Path, **values: Any) -> str:
    """An HTML page from a template that extends `page.html.j2` of this folder. Values are escaped."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(**values)


def _table(summary: Summary) -> dict[str, Any]:
    """What the template shows of a summary. An interval is shown below its value."""
    rows = [
        [cell.partition(" [")[::2] if at > 1 else (cell, "") for at, cell in enumerate(row)] for row in cells(summary)
    ]
    found: Sequence[Any] = matrix(summary) if has_matrix(summary) else []
    return {"header": header(summary), "rows": rows, "matrix": found}


def _linked(run: Run, directory: Path) -> dict[str, Any]:
    """Links from the page to a run's directory and files."""
    path = os.path.relpath(run.path, directory)
    # "./" prevents a directory's name from being parsed as a scheme; fsencode, as names need not be UTF-8
    base = "./" + quote(os.fsencode(path))
    return {
        "name": one_line(run.path.resolve().name if path == "." else path),
        "link": base + "/",
        "files": [(name, f"{base}/{name}") for name in LINKED if _is_file(Directory(run.path), name)],
    }


def _is_file(directory: Directory, name: str) -> bool:
    """Whether a name is a regular file; False for links, and where it cannot be determined."""
    try:
        return directory.kind(name) == "file"
    except FileError:
        return False
