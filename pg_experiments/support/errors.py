"""User errors: one-line messages with the key, what was expected, and the nearest valid value."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

LONGEST_VALUE = 100  # characters of a value in a message


class UserError(Exception):
    """An error that the user can correct. Commands print its message without a traceback.

    The message may quote untrusted text, so control characters are replaced.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class FileError(UserError):
    """A file or folder is invalid or cannot be read. The message begins with its path."""


class NoSuchFile(FileError):  # noqa: N818  (distinguished from the built-in FileNotFoundError)
    """A file or folder does not exist: a run, its checkpoint, or one of its files."""


def by_nearness(name: str, valid: Iterable[str]) -> list[str]:
    """All valid names: the closest matches of `name` first, then the others in alphabetical order."""
    names = sorted(set(valid))
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return close + [other for other in names if other not in close]


def nearest(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The closest match of `name` among the valid names, or None where none has a similarity (0 to 1) of `cutoff`."""
    close = get_close_matches(name, list(valid), n=1, cutoff=cutoff)
    return close[0] if close else None


def as_yaml(value: object) -> str:
    """Format a plain value as in a config and on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: object) -> str:
    """Format a value for a message: as `as_yaml`, on one line, truncated to 100 characters."""
    try:
        text = as_yaml(value)
    except ValueError:  # Python does not convert integers of more than 4,300 digits
        text = f"a value of type {type(value).__name__} with more than 4,300 digits"
    return shortened(one_line(text), LONGEST_VALUE)


def shortened(text: str, most: int) -> str:
    """Truncate a text to at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def needs_extra(what: str, extra: str) -> str:
    """The message for a feature whose extra is not installed."""
    return (
        f"{what}: needs the extra [{extra}]: pip install 'pg-experiments[{extra}]', "
        f"or in a clone pip install -e '.[{extra}]'"
    )


def near_directory(path: Path) -> str:
    """A suggestion of the most similar directory; empty where the path exists or none is similar."""
    if path.is_dir():
        return ""
    there: list[str] = []
    with suppress(OSError):  # it may be unreadable
        there = [other.name for other in path.parent.iterdir() if other.is_dir()]
    near = nearest(path.name, there)
    return f"; did you mean {path.parent / near}?" if near else ""


def one_line(text: str) -> str:
    """Join a text to one line, and replace control characters."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Replace each character that is not printable, including line breaks, by �."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)
