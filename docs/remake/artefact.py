"""What the pages show of one measurement: the commands that make its raw data, and its values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.remake.marked import ROOT

RESULTS = ROOT / "docs" / "results"


@dataclass(frozen=True)
class Artefact:
    """A measurement.

    Attributes:
        name: the names of its values begin with it and a dot.
        commands: run in the root of the repository, they make the measurement. `> FILE` says where the output goes.
        keep: copies what the pages need of it to docs/results/, and its pictures to docs/.
        values: computes the values from docs/results/ alone, by name.
    """

    name: str
    commands: Sequence[str]
    keep: Callable[[], None] = lambda: None
    values: Callable[[], dict[str, str]] = dict


def measured(name: str) -> dict[str, Any]:
    """What a benchmark has written to docs/results/measured/."""
    found: dict[str, Any] = json.loads((RESULTS / "measured" / f"{name}.json").read_text())
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown. A title that begins with `>` belongs to a column that is aligned to the right."""
    titles = [title.removeprefix(">").strip() for title in head]
    rule = ["---:" if title.startswith(">") else "---" for title in head]
    return "\n".join(re.sub(r"\|\s+(?=\|)", "| ", f"| {' | '.join(cells)} |") for cells in (titles, rule, *rows))


def spread(numbers: Sequence[float], digits: int) -> str:
    """`2.5 to 2.9`."""
    return f"{min(numbers):.{digits}f} to {max(numbers):.{digits}f}"


def copied(source: Path, target: Path) -> None:
    """Copy a file, and make its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
