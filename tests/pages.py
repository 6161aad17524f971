"""The project's pages: README.md, CONTRIBUTING.md, those of docs/ and of the examples."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import REPOSITORY

SITE = sorted((REPOSITORY / "docs").rglob("*.md"))
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *SITE,
    *sorted((REPOSITORY / "examples").glob("*/README.md")),
]


def block(page: str, holding: str) -> str:
    """The only block of Python on a page that contains a text."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return found


def name_of(page: Path) -> str:
    """The path of a page in the repository."""
    return str(page.relative_to(REPOSITORY))
