"""What the project's pages show, as the tests run it."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY


def block(page: str, holding: str) -> str:
    """The one block of Python on a page that holds something."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return found
