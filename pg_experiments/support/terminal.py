"""The terminal: nothing printed there has a character that it would obey, whoever wrote the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pg_experiments.support.errors import printable


class Terminal(Console):
    """A console of Rich's that shows each control character of a text as �; its own colours and cursor remain."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)


def terminal(plain_width: int, **settings: Any) -> Terminal:
    """Where to print, without Rich's own colours of numbers.

    Args:
        plain_width: characters of a line where the output is no terminal.
        settings: of Rich's `Console`.
    """
    made = Terminal(highlight=False, **settings)
    if not made.is_terminal:
        made.width = plain_width
    return made
