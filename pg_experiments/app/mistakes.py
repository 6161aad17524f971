"""One-line messages for Hydra's errors about the command line, with a suggestion."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml.error import MarkedYAMLError

from pg_experiments.app.launchers import needs_extra
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.support.errors import UserError, by_nearness, nearest
from pg_experiments.support.legacy import MOVED

SAID_BY_HYDRA = ("Config group override", "Invalid defaults list")  # prefixes of errors without a specific class


def explain(error: BaseException, overrides: Sequence[Override], files: OptionFiles) -> str | None:
    """The message for a user error: the key, what was expected, and the nearest valid value.

    Returns:
        One line; None where the error is not a user error.
    """
    if isinstance(error, UserError):
        return str(error)
    if (file := _file_being_read(error)) is not None:
        return f"{file}: cannot be read as a config ({_why_unreadable(error)})"
    if isinstance(error, RecursionError) and (config := _of_frames(error, "_create_defaults_tree_impl", "path")):
        return f"{config}: its defaults list leads back to itself"
    text = _said_by_hydra(error, overrides, files)
    expected = isinstance(error, HydraException | OmegaConfBaseException | OSError)
    return text if expected or str(error).startswith(SAID_BY_HYDRA) else None


def _said_by_hydra(error: BaseException, overrides: Sequence[Override], files: OptionFiles) -> str:
    if isinstance(error, OverrideParseException):
        return _not_an_override(error.override)
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return no_such_option(group, option, list(error.options))
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; choose another hydra.run.dir (or hydra.sweep.dir)"
    text = str(error)
    if match := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'", text):
        return f"{match.group(1)}: several values are a sweep; add -m before them"
    if match := re.match(r"Could not override '([^']+)'", text):
        return _unknown_key(match.group(1), overrides, files)
    if text.startswith("Config group override must be a string"):
        wrong = next((o for o in overrides if o.key_or_group in files.groups and not isinstance(o.value(), str)), None)
        if wrong is not None:
            return no_such_option(wrong.key_or_group, str(wrong.value()), list(files.groups[wrong.key_or_group]))
    if match := re.match(r"Error merging override (.*)", text):
        return f"{match.group(1)}: {_first_line(error.__cause__)}"
    if isinstance(error, MissingMandatoryValue) and error.full_key:
        return f"{error.full_key}: missing; expected {error.full_key}=VALUE"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {_first_line(error)}"
    return " ".join(text.split("\n")[:2]).strip() or _first_line(error)


def _not_an_override(text: str) -> str:
    key, equals, value = text.partition("=")
    if not re.fullmatch(r"[+~]*[\w/@:-]+(\.[\w/@:-]+)*", key) or not equals or value.startswith("="):
        return f"{text}: not an override; expected key=value"
    return f"{text}: its value cannot be read; with quotes it is a text, as \"{key}='TEXT'\""


def _file_being_read(error: BaseException) -> str | None:
    """The config file that Hydra was reading when the error was raised; None for other errors."""
    path = _of_frames(error, "load_config", "full_path")
    return path if path and Path(path).exists() else None


def _of_frames(error: BaseException, function: str, variable: str) -> str | None:
    """The value of a local variable in the innermost frame of the traceback that runs the function."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == function]
    return str(frames[-1].f_locals[variable]) if frames and frames[-1].f_locals.get(variable) else None


def _why_unreadable(error: BaseException) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text, byte {error.start}"
    if isinstance(error, RecursionError):
        return "lists or groups are nested too deeply"
    return _first_line(error)


def _first_line(error: BaseException | None) -> str:
    """The first line of an error's message; where it is empty, that of its cause."""
    while error is not None and not str(error).strip():
        error = error.__cause__ or error.__context__
    return "it does not say why" if error is None else str(error).strip().split("\n")[0]


def no_such_option(group: str, option: str, options: Sequence[str]) -> str:
    """The message for an option that a group does not have, or whose extra is not installed."""
    if missing := needs_extra(f"{group}={option}"):
        return missing
    return f"{group}={option}: no such option; expected one of {', '.join(by_nearness(option, options))}"


def _unknown_key(key: str, overrides: Sequence[Override], files: OptionFiles) -> str:
    if key in MOVED:
        return f"{key}: is called {MOVED[key]} now"
    group, _, leaf = key.rpartition(".")
    if key.startswith("hydra."):
        return f"{key}: no such key of Hydra's, or of its launcher and sweeper; --cfg hydra shows them"
    if group in files.groups:
        return f"{key}: {_unknown_leaf(group, leaf, overrides, files)}"
    near = nearest(key, files.all_keys())
    if near is None:
        same_leaf = [known for known in files.all_keys() if nearest(leaf, [known.rpartition(".")[2]])]
        near = same_leaf[0] if same_leaf else None
    return f"{key}: no such key; " + (f"did you mean {near}?" if near else "--help lists the keys")


def _unknown_leaf(group: str, leaf: str, overrides: Sequence[Override], files: OptionFiles) -> str:
    keys = files.keys(group)
    if leaf in keys:
        chosen = [o.value() for o in overrides if o.key_or_group == group and isinstance(o.value(), str)]
        choice = f"{group}={chosen[-1]}" if chosen else f"a chosen {group}"
        return f"no such key with {choice}; {' or '.join(f'{group}={option}' for option in sorted(keys[leaf]))} has it"
    near = nearest(leaf, keys)
    if near is not None:
        return f"no such key; did you mean {group}.{near}?"
    return f"no such key; {group} has {', '.join(sorted(keys))}"
