"""Flags of the training command. They are parsed before Hydra, as argparse would read `-policy.hidden=3` as `-p`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pg_experiments.app.arguments import PLUGIN, Suggest, no_such_flag, split_plugins
from pg_experiments.support.errors import UserError

SHORT = {
    "-h": "--help",
    "-m": "--multirun",
    "-r": "--run",
    "-c": "--cfg",
    "-p": "--package",
    "-i": "--info",
    "-cn": "--config-name",
    "-cd": "--config-dir",
    "-cp": "--config-path",
    "-sc": "--shell-completion",
}
# flag → description of its value; None for a flag without a value
VALUES: dict[str, str | None] = {
    "--help": None,
    "--multirun": None,
    "--run": None,
    "--resolve": None,
    "--hydra-help": None,
    "--version": None,
    "--shell-completion": None,
    "--cfg": "one of job, hydra, all",
    "--info": "one of all, config, defaults, defaults-tree, plugins, searchpath",
    "--package": "a package of the config",
    "--config-name": "the name of a primary config",
    "--config-dir": "a directory",
}
REFUSED = {
    "--config-path": "the configs of the project are always there; --config-dir DIR adds your own",
    "--experimental-rerun": "a pickled config could execute anything; resume=DIR continues a run from its checkpoint",
}
INSTEAD = ["--run", "--multirun", "--cfg", "--info", "--shell-completion"]  # modes, which exclude each other
HINTS = [*VALUES, PLUGIN, *(short for short, flag in SHORT.items() if flag in VALUES)]


@dataclass(frozen=True)
class Flags:
    """The flags of a command line, by long name. The value is empty for a flag without one.

    Attributes:
        given: the flags of Hydra.
        plugins: the values of `--plugin`.
    """

    given: dict[str, str]
    plugins: tuple[str, ...] = ()

    def __contains__(self, flag: str) -> bool:
        return flag in self.given

    @property
    def sweeping(self) -> bool:
        """Whether the command is a sweep."""
        return "--multirun" in self.given

    @property
    def config_name(self) -> str:
        """Name of the primary config."""
        return self.given.get("--config-name", "config")

    @property
    def config_directories(self) -> list[Path]:
        """The user's config directory, if there is one."""
        return [Path(self.given["--config-dir"]).absolute()] if "--config-dir" in self.given else []

    def arguments(self) -> list[str]:
        """The flags for argparse, as `--flag=value`: `--info` alone would consume the next override as its value."""
        return [f"{flag}={value}" if VALUES[flag] else flag for flag, value in self.given.items()]


def split(arguments: Sequence[str], key: Suggest) -> tuple[Flags, list[str]]:
    """Separate flags and their values from overrides.

    Args:
        arguments: the arguments of the command line.
        key: suggests a key for a wrong flag.

    Raises:
        UserError: there is no such flag, or its value is missing or wrong.
    """
    given: dict[str, str] = {}
    overrides: list[str] = []
    plugins, rest = split_plugins(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        name, equals, value = argument.partition("=")
        flag = SHORT.get(name, name)
        if flag in REFUSED:
            raise UserError(f"{name}: not supported; {REFUSED[flag]}")
        if flag not in VALUES or (equals and VALUES[flag] is None):
            raise UserError(no_such_flag(argument, rest[:1], HINTS, key))
        given[flag] = _value(flag, value if equals else None, rest)
    several = [flag for flag in INSTEAD if flag in given]
    if len(several) > 1:
        raise UserError(f"{' '.join(several)}: each asks for something else; expected one of them")
    if "--resolve" in given and "--cfg" not in given:
        raise UserError("--resolve: expected with --cfg, whose interpolations it fills in")
    return Flags(given, tuple(plugins)), overrides


def _value(flag: str, value: str | None, rest: list[str]) -> str:
    """The value of a flag; without `=value` it is taken from the remaining arguments."""
    expected = VALUES[flag]
    if expected is None:
        return ""
    choices = expected.removeprefix("one of ").split(", ") if expected.startswith("one of ") else None
    if value is None and flag == "--info" and (not rest or rest[0] not in (choices or [])):
        return "all"
    if value is None:
        value = rest.pop(0) if rest and not rest[0].startswith("-") else ""
    if not value or (choices and value not in choices):
        raise UserError(f"{flag}{f'={value}' if value else ''}: expected {expected}")
    return value
