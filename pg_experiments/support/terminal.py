"""Terminal output without control characters from untrusted text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pg_experiments.support.errors import printable


class Terminal(Console):
    """A Rich console that shows control characters of a text as �. Rich's own colours and cursor control remain."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)


def terminal(plain_width: int, **settings: Any) -> Terminal:
    """Create a console without Rich's highlighting of numbers.

    Args:
        plain_width: characters of a line where the output is not a terminal.
        settings: keyword arguments of Rich's `Console`.
    """
    made = Terminal(highlight=False, **settings)
    if not made.is_terminal:
        made.width = plain_width
    return made


def duration(seconds: float) -> str:
    """A time such as 0:07, 12:30 or 1:05:00."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
