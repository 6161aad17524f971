"""A comparison as Markdown."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pg_experiments.comparison.comparison import Comparison
from pg_experiments.comparison.excluded import listed
from pg_experiments.comparison.summary import Summary
from pg_experiments.comparison.table import LEGEND, cells, has_matrix, header, matrix
from pg_experiments.support.errors import one_line


def markdown(comparison: Comparison, directory: Path, figures: Sequence[str]) -> str:
    """The whole comparison. Paths are relative to the directory, and figures are names of files in it."""
    parts = [f"# {escaped(comparison.title)}\n", _bullets(comparison.headline)]
    if comparison.warnings:
        parts.append("**Mind:**\n\n" + _bullets(comparison.warnings))
    for factor in comparison.factors:
        parts.append(f"## {escaped(factor.key)}, averaged over {escaped(', '.join(factor.others))}\n")
        parts += _tables(factor.summary)
    parts.append("## Configurations, the best first\n" if comparison.factors else "")
    parts += _tables(comparison.configurations)
    parts.append(_bullets(comparison.notes))
    for heading, runs in listed(comparison.failed, comparison.excluded).items():
        rows = [[one_line(os.path.relpath(run.path, directory)), why] for run, why in runs]
        parts.append(f"## {heading}\n\n" + table(rows, ["run", "why"]).replace("---:", "---"))
    parts.append("".join(f"![{name.removesuffix('.png')}]({name})\n" for name in figures))
    if comparison.fixed:
        parts.append("## Fixed settings\n\n" + _bullets(f"{key}={value}" for key, value in comparison.fixed.items()))
    if comparison.commands:
        text = "\n".join(comparison.commands)
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
        parts.append(f"Made with\n\n{fence}\n{text}\n{fence}\n")
    return "\n".join(part for part in parts if part)


def _tables(summary: Summary) -> list[str]:
    found = [table(cells(summary), header(summary))]
    if has_matrix(summary):
        rows = [
            [str(n), *(f"{mark} {value}".strip() for mark, value in row)] for n, row in enumerate(matrix(summary), 1)
        ]
        found += [table(rows, ["#", *(str(number) for number in range(1, len(rows) + 1))]), f"{LEGEND}\n"]
    return found


def _bullets(texts: Iterable[str]) -> str:
    return "".join(f"* {escaped(text)}\n" for text in texts)


def table(rows: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """A Markdown table with escaped cells."""
    lines = [[*map(escaped, names)], ["---", *("---:" for _ in names[1:])], *([*map(escaped, row)] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def escaped(text: str) -> str:
    """Escape a text for Markdown, on one line."""
    return html.escape(re.sub(r"([\\`*\[\]|~])", r"\\\1", " ".join(text.split())), quote=False)
