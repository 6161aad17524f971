"""The project's pages: README.md, CONTRIBUTING.md, those of docs/ and of the examples; and their blocks of code.

A block without a language holds commands, a block of `console` commands with what they print, a block of `python` a
script, or a file, whose name is its first line: `# my_env.py`. A comment directly above a block, which readers do not
see, says why the tests do not run it (`<!-- not run: REASON -->`), or what does (`<!-- run by: tests/test_X.py -->`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.conftest import REPOSITORY

SITE = sorted((REPOSITORY / "docs").rglob("*.md"))
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *SITE,
    *sorted((REPOSITORY / "examples").glob("*/README.md")),
]
COMMENT = re.compile(r"<!-- (not run|run by): (.+) -->")
FENCE = re.compile(r"```(\w*)$")


class Block(NamedTuple):
    """A block of code of a page."""

    line: int  # of its first line
    language: str
    text: str
    not_run: str  # the reason; empty where the tests run it
    run_by: str  # the test that runs it; empty where those of all pages do


def name_of(page: Path) -> str:
    """The path of a page in the repository."""
    return str(page.relative_to(REPOSITORY))


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in their order."""
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    above = ""
    for number, line in lines:
        if not line.startswith("```"):
            above = line.strip() or above
            continue
        fence, comment = FENCE.match(line), COMMENT.fullmatch(above)
        assert fence, f"{page}:{number}: expected ``` and the name of a language or nothing"
        inside = []
        for _, text in lines:
            if text == "```":
                break
            inside.append(text)
        said = {comment[1]: comment[2]} if comment else {}
        yield Block(number + 1, fence[1], "\n".join(inside), said.get("not run", ""), said.get("run by", ""))
        above = ""


def block(page: str, holding: str) -> str:
    """The text of the only block of Python on a page that contains a text."""
    every = blocks(REPOSITORY / page)
    (found,) = [block.text for block in every if block.language == "python" and holding in block.text]
    return found + "\n"


def commands(text: str) -> list[list[str]]:
    """The commands of a block, each as its arguments, without comments. A backslash continues a line."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            found.append(words[: words.index("&&")])
            words = words[words.index("&&") + 1 :]
        if words:
            found.append(words)
    return found
