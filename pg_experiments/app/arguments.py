"""Argument parsing shared by the commands: `key=value` arguments, and one-line errors with exit code 1."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence

from pg_experiments.app.version import version_text
from pg_experiments.support import plugins
from pg_experiments.support.errors import UserError, nearest, one_line
from pg_experiments.support.interruption import deferred, exit_on_signal

PLUGIN = "--plugin"
# arguments of the training command that are not keys of a run
ARGUMENTS = {
    "resume": "DIR, or latest: resume this run, or the one with the newest result, from its newest checkpoint",
    "preview": "true: print the jobs of the command, with their directories and how far they are, and run nothing",
}
FLAGS = ["--help", "-h", "--version", PLUGIN]  # of the commands without Hydra
# (word, value, similar) → what a wrong flag means where it is meant as a key, such as `did you mean seed=3?`. If not
# `similar`, the word is to be another name of the key: there is a similar flag.
Suggest = Callable[[str, str, bool], str | None]
WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


def split_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split arguments into the values of `--plugin` and the rest.

    Raises:
        UserError: a `--plugin` has no value.
    """
    values, others = [], []
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name != PLUGIN:
            others.append(name + equals + value)
            continue
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else ""
        if not value or os.pathsep in value:
            raise UserError(f"{PLUGIN}{equals}{value}: expected a module, or a file as ./my_env.py")
        values.append(value)
    return values, others


def key_values(arguments: Sequence[str], first: str, keys: Collection[str]) -> dict[str, str]:
    """Split each argument at its first equals sign.

    Args:
        arguments: the arguments of the command line.
        first: the key that is suggested for a value without one.
        keys: all keys, for suggestions where a flag is wrong.

    Raises:
        UserError: an argument has no equals sign, or is a flag.
    """
    values = {}
    for index, argument in enumerate(arguments):
        if argument.startswith("-"):
            raise UserError(no_such_flag(argument, arguments[index + 1 : index + 2], FLAGS, nearest_key(keys)))
        key, equals, value = argument.partition("=")
        if not equals:
            raise UserError(f"{argument}: expected key=value, as {first}={argument}")
        values[key] = value
    return values


def no_such_flag(argument: str, following: Sequence[str], flags: Collection[str], key: Suggest) -> str:
    """The error message for an unknown flag, with the nearest flag or key.

    Args:
        argument: as given, `--num_seeds=4` or `--num-seeds`.
        following: the next argument, if there is one; it may be the value.
        flags: all flags.
        key: suggests a key.
    """
    name, equals, value = argument.partition("=")
    word = name.lstrip("-").replace("-", "_")
    if not equals and following and "=" not in following[0] and not following[0].startswith("-"):
        value = following[0]
    glued = [short for short in flags if not name.startswith("--") and name.startswith(short)]  # -cdmine
    long = [flag for flag in flags if flag.startswith("--")] if word else []
    flag = max(glued, key=len) if glued else nearest(name, long)
    meant = key(word, value, flag is None or bool(equals)) if word else None
    if meant:
        return f"{argument}: no such flag; {meant}"
    return f"{argument}: no such flag; " + (f"did you mean {flag}?" if flag else "--help lists flags and keys")


def nearest_key(keys: Collection[str]) -> Suggest:
    """Suggestions among these keys."""

    def suggest(word: str, value: str, similar: bool) -> str | None:
        near = word if word in keys else nearest(word, keys) if similar else None
        return f"did you mean {near}={value or 'VALUE'}?" if near else None

    return suggest


def plain(text: str) -> object:
    """Convert a text to a number, True, False or None where it is one; otherwise return the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return WORDS.get(text, text)


def answer(help_text: str, command: Callable[[Sequence[str]], None]) -> None:
    """Run a command as a program, or print its help or version. A user error is one line on stderr and exit code 1."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text)
        return
    if "--version" in sys.argv[1:]:
        print(version_text())
        return
    with exit_on_signal():
        try:
            plugin_values, arguments = split_plugins(sys.argv[1:])
            with deferred():
                plugins.load(plugin_values)
            command(arguments)
        except UserError as error:
            sys.exit(f"error: {one_line(str(error))}")
        except OSError as error:
            where = "" if error.filename is None else f"{error.filename}: "
            sys.exit(f"error: {one_line(where + str(error.strerror))}")
