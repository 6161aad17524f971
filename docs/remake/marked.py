"""Marked numbers and tables of pages: what is between two comments, which readers do not see.

    <!-- number: NAME -->20 of 32<!-- end -->

A table is between two comments on lines of their own, with blank lines around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"(?P<begin><!-- number: (?P<name>[\w./-]+) -->)(?P<value>.*?)(?P<end><!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The pages that may have marks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def numbers(page: Path) -> Iterator[tuple[str, str]]:
    """The name and the value of each mark of a page."""
    for found in MARKED.finditer(page.read_text()):
        yield found["name"], found["value"].strip()


def written(text: str, values: Mapping[str, str]) -> str:
    """The text of a page with these values.

    Raises:
        KeyError: a mark has a name that is not among the values.
    """

    def replaced(found: re.Match[str]) -> str:
        value = values[found["name"]]
        around = "\n\n" if value.startswith("|") else ""
        return f"{found['begin']}{around}{value}{around}{found['end']}"

    return MARKED.sub(replaced, text)
