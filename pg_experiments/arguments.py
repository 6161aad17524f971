"""What the commands without Hydra share: `key=value` arguments, and mistakes answered in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from pg_experiments.errors import UserError, one_line

WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


def key_values(arguments: Sequence[str], first: str) -> dict[str, str]:
    """Split each argument at its first equals sign; `first` is the key that a lone value is taken to have forgotten.

    Raises:
        UserError: an argument has no equals sign.
    """
    values = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise UserError(f"{argument}: expected key=value, as {first}={argument}")
        values[key] = value
    return values


def plain(text: str) -> object:
    """A number, true, false or null where the text is one; else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return WORDS.get(text, text)


def answer(help_text: str, command: Callable[[Sequence[str]], None]) -> None:
    """Run a command as a program: with its arguments, or the help; a mistake is one line on stderr and exit code 1."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text)
        return
    try:
        command(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {one_line(str(error))}")
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        sys.exit(f"error: {one_line(where + str(error.strerror))}")
    except KeyboardInterrupt:
        sys.exit(130)
