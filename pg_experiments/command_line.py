"""What the commands share: where the configs lie, how a sweep's jobs are named, and errors of one line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pg_experiments.errors import UserError, by_nearness, nearest
from pg_experiments.help import help_text

FLAGS_WITH_A_VALUE = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir"}
FLAGS_WITH_A_VALUE |= {"-cd", "--info", "-i", "--experimental-rerun"}


def config_directory() -> str:
    """`conf/`: inside the package where it was installed from a wheel, beside it in a clone."""
    package = Path(__file__).parent
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parent / "conf")


def run_command(command: Callable[[], object]) -> None:
    """Run a Hydra command as a program: a mistake is one line on stderr and exit code 1.

    With HYDRA_FULL_ERROR=1 in the environment, every error keeps its traceback.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        command()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its exceptions on instead of printing them
    sys.argv[1:] = _flags_first(sys.argv[1:]) + _names_of_jobs(sys.argv[1:])
    try:
        if {"--help", "-h"} & set(sys.argv):
            print(help_text(config_directory(), sys.argv[1:]))
        else:
            command()
    except KeyboardInterrupt:
        sys.exit(130)
    except (UserError, HydraException, OmegaConfBaseException, OSError) as error:
        sys.exit(f"error: {explain(error, sys.argv[1:])}")
    except Exception as error:
        where = next((note for note in getattr(error, "__notes__", [])), "HYDRA_FULL_ERROR=1 shows where")
        sys.exit(f"error: {type(error).__name__}: {error} ({where})")


def explain(error: BaseException, arguments: Iterable[str]) -> str:
    """One line that names the key, what was expected, and the nearest valid value."""
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not an override; expected key=value"
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={option}: no such option; expected one of {', '.join(by_nearness(option, error.options))}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; choose another hydra.run.dir (or hydra.sweep.dir)"
    text = str(error)
    if match := re.match(r"Ambiguous value for argument '([^']+)'", text):
        return f"{match.group(1)}: several values are a sweep; add -m before them"
    if match := re.match(r"Could not override '([^']+)'", text):
        return _unknown_key(match.group(1), _parse(arguments))
    return " ".join(text.split("\n")[:2]).strip()


def _unknown_key(key: str, overrides: list[Override]) -> str:
    known = sorted(_known_keys(overrides))
    near = nearest(key, known)
    if near is None:
        parts = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
        near = parts[0] if parts else None
    return f"{key}: no such key; " + (f"did you mean {near}?" if near else "--help lists the keys")


def _known_keys(overrides: list[Override]) -> set[str]:
    """Every key that could have been meant, given the options that were chosen."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_directory(), version_base="1.3"):
        groups = set(GlobalHydra.instance().config_loader().list_groups(""))
        chosen = [str(o.input_line) for o in overrides if o.key_or_group in groups and not o.is_sweep_override()]
        try:
            config = compose("config", overrides=chosen)
        except HydraException:
            config = compose("config")
    return set(_leaves(config)) | (groups - {"tuned", "hydra"})


def _leaves(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        node = config._get_node(key)
        if isinstance(node, DictConfig):
            yield from _leaves(node, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _parse(arguments: Iterable[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides([a for a in arguments if "=" in a and not a.startswith("-")])
    except HydraException:
        return []


def _flags_first(arguments: list[str]) -> list[str]:
    """The same arguments in the only order that argparse takes: a flag after an override ends its list of them."""
    flags: list[str] = []
    overrides: list[str] = []
    takes_value = False
    for argument in arguments:
        is_flag = takes_value or argument.startswith("-")
        takes_value = not takes_value and argument in FLAGS_WITH_A_VALUE
        (flags if is_flag else overrides).append(argument)
    return flags + overrides


def _names_of_jobs(arguments: list[str]) -> list[str]:
    """For a sweep, the override that keeps what all of its jobs share out of their directories' names."""
    if not {"-m", "--multirun"} & set(arguments):
        return []
    shared = [o.key_or_group for o in _parse(arguments) if not o.is_sweep_override()]
    return [f"hydra.job.config.override_dirname.exclude_keys=[{','.join(repr(key) for key in shared)}]"]
