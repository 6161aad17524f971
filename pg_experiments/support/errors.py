"""What a user can mend is said in one line: the key, what was expected, and the nearest valid value."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

LONGEST_VALUE = 100  # characters of a value in a message


class UserError(Exception):
    """A mistake that the user can mend. Commands print its text alone, without a traceback.

    The text may quote a file or a name of a stranger's: it has no character that a terminal would obey.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class FileError(UserError):
    """A file or folder is not what is expected, or cannot be read. The text begins with its path."""


class NoSuchFile(FileError):  # noqa: N818  (beside FileNotFoundError, which it stands for)
    """A file or folder is not there: a run, its checkpoint, or one of its files."""


def by_nearness(name: str, valid: Iterable[str]) -> list[str]:
    """All valid names, those most like `name` first, the others in alphabetical order."""
    names = sorted(set(valid))
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return close + [other for other in names if other not in close]


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name most like `name`, or None when nothing resembles it."""
    close = get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return close[0] if close else None


def as_yaml(value: object) -> str:
    """A plain value as it is written in a config and on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: object) -> str:
    """A value as it is named in a message: as `as_yaml` has it, on one line and cut to 100 characters."""
    try:
        text = as_yaml(value)
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        text = f"a value of type {type(value).__name__} with more than 4,300 digits"
    return shortened(one_line(text), LONGEST_VALUE)


def shortened(text: str, most: int) -> str:
    """The text, cut to that many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def needs_extra(what: str, extra: str) -> str:
    """The line for what is not installed."""
    return f"{what}: needs the extra [{extra}]: pip install 'pg-experiments[{extra}]'"


def near_directory(path: Path) -> str:
    """A question whether the directory most like that one was meant; nothing where none is like it, or it is there."""
    if path.is_dir():
        return ""
    there: list[str] = []
    with suppress(OSError):  # it may be unreadable
        there = [other.name for other in path.parent.iterdir() if other.is_dir()]
    near = nearest(path.name, there)
    return f"; did you mean {path.parent / near}?" if near else ""


def one_line(text: str) -> str:
    """A text without line breaks, and without anything that a terminal would obey."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """A text with � in place of each character that a terminal would obey, line breaks too."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)
