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

from pg_experiments.comparison.excluded import FAILED, failed, not_counted
from pg_experiments.comparison.grouping import ABSENT
from pg_experiments.comparison.records import Run
from pg_experiments.comparison.summary import Summary
from pg_experiments.comparison.table import as_csv, as_markdown, cells, escaped, header
from pg_experiments.comparison.wording import findings, notes
from pg_experiments.support.errors import one_line
from pg_experiments.support.files import Directory, FileError

CAPTIONS = {
    "curves.png": "Learning curves, from where all seeds of one have a value. A seed that has ended keeps its last.",
    "performance_profile.png": "For each final value on the x axis, the fraction of seeds that ended above it.",
    "to_threshold.png": "For each number of steps, the fraction of seeds that had reached the threshold by then.",
}
LINKED = ("result.json", "metrics.csv", "train.log", ".hydra/config.yaml")


def write_report(
    directory: Path, summary: Summary, pictures: Mapping[str, bytes], commands: Sequence[str]
) -> list[str]:
    """Write all files; each is replaced atomically. Returns their names."""
    texts = {
        "comparison.csv": as_csv(summary),
        "comparison.md": _markdown(summary, directory, commands),
        "report.html": _html(summary, directory, pictures, commands),
    }
    files = {**{name: text.encode() for name, text in texts.items()}, **pictures}
    for name, content in files.items():
        Directory(directory).replace(name, methodcaller("write", content))
    return list(files)


def _title(directory: Path) -> str:
    resolved = directory.resolve()
    return one_line("/".join(resolved.parts[-2:]) if re.fullmatch(r"[\d-]+", resolved.name) else resolved.name)


def what_differed(summary: Summary) -> dict[str, list[str]]:
    """The distinct values of each key that distinguishes configurations, in the order of the runs."""
    keys = summary.grouping.keys
    values = {key: [settings.get(key, ABSENT) for settings in summary.grouping.configurations] for key in keys}
    return {key: list(dict.fromkeys(repeated)) for key, repeated in values.items()}


def _markdown(summary: Summary, directory: Path, commands: Sequence[str]) -> str:
    parts = [f"# Comparison of {escaped(_title(directory))}\n"]
    parts.append("".join(f"* {escaped(finding)}\n" for finding in findings(summary)))
    parts.append(as_markdown(cells(summary), header(summary)))
    parts.append("".join(f"* {escaped(note)}\n" for note in notes(summary)))
    for heading, runs in _listed(summary).items():
        rows = [[one_line(_relative(run, directory)), why] for run, why in runs]
        parts.append(f"## {heading}\n\n" + as_markdown(rows, ["run", "why"]).replace("---:", "---"))
    parts.append("".join(f"![{name.removesuffix('.png')}]({name})\n" for name in CAPTIONS))
    if commands:
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", "\n".join(commands))), default=0))
        parts.append(f"Made with\n\n{fence}\n" + "\n".join(commands) + f"\n{fence}\n")
    return "\n".join(part for part in parts if part)


def _listed(summary: Summary) -> dict[str, list[tuple[Run, str]]]:
    """Failed seeds and excluded runs, by heading."""
    lists = {
        FAILED: failed(summary.outcomes),
        "Not counted": not_counted(summary.grouping, summary.outcomes),
    }
    return {heading: runs for heading, runs in lists.items() if runs}


def _relative(run: Run, directory: Path) -> str:
    return os.path.relpath(run.path, directory)


def _html(summary: Summary, directory: Path, pictures: Mapping[str, bytes], commands: Sequence[str]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counted = [run for row in summary.rows for run in row.group.runs]
    return environment.get_template("report.html.j2").render(
        title=_title(directory),
        findings=findings(summary),
        header=header(summary),
        rows=cells(summary),
        notes=notes(summary),
        differed=what_differed(summary),
        commands=commands,
        pictures=[(CAPTIONS[name], base64.b64encode(content).decode()) for name, content in pictures.items()],
        runs=[_linked(run, directory) for run in counted],
        listed={
            heading: [(_linked(run, directory), why) for run, why in runs] for heading, runs in _listed(summary).items()
        },
    )


def _linked(run: Run, directory: Path) -> dict[str, Any]:
    """Links from the page to a run's directory and files."""
    path = _relative(run, directory)
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
