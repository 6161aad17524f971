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

from pg_experiments.app.hints import Hints
from pg_experiments.app.launchers import needs_extra
from pg_experiments.support.errors import UserError, by_nearness
from pg_experiments.support.legacy import MOVED
from pg_experiments.support.run_directory import ANOTHER

SAID_BY_HYDRA = ("Config group override", "Invalid defaults list")  # prefixes of errors without a specific class


def explain(error: BaseException, overrides: Sequence[Override], hints: Hints) -> str | None:
    """The message for a user error: the key, what was expected, and the nearest valid value.

    Args:
        error: what was raised.
        overrides: those of the command line.
        hints: suggestions for wrong keys and options.

    Returns:
        One line; None where the error is not a user error.
    """
    if isinstance(error, UserError):
        return str(error)
    if (file := _file_being_read(error)) is not None:
        return f"{file}: cannot be read as a config ({_why_unreadable(error)})"
    if isinstance(error, RecursionError) and (config := _of_frames(error, "_create_defaults_tree_impl", "path")):
        return f"{config}: its defaults list leads back to itself"
    if isinstance(error, HydraException | OmegaConfBaseException | OSError) or str(error).startswith(SAID_BY_HYDRA):
        return _said_by_hydra(error, overrides, hints)
    return None


def _said_by_hydra(error: BaseException, overrides: Sequence[Override], hints: Hints) -> str:
    if isinstance(error, OverrideParseException):
        return not_an_override(error.override, hints)
    if isinstance(error, MissingConfigException) and error.options is not None:
        missing = str(error.missing_cfg_file)
        group, _, option = missing.rpartition("/")
        for override in overrides:  # `env=ALE/Pong-v5`, which Hydra looks for in a group env/ALE
            if override.key_or_group in hints.files.groups and f"{override.key_or_group}/{override.value()}" == missing:
                group, option = override.key_or_group, str(override.value())
        return no_such_option(group, option, list(error.options), hints)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; {ANOTHER}"
    text = str(error)
    if match := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'", text):
        return f"{match.group(1)}: several values are a sweep; add -m before them (from Python: pg_experiments.sweep)"
    if match := re.match(r"Could not override '([^']+)'", text):
        return _unknown_key(match.group(1), overrides, hints)
    if text.startswith("Config group override must be a string"):
        groups = hints.files.groups
        wrong = next((o for o in overrides if o.key_or_group in groups and not isinstance(o.value(), str)), None)
        if wrong is not None:
            return no_such_option(wrong.key_or_group, str(wrong.value()), list(groups[wrong.key_or_group]), hints)
    if match := re.match(r"Error merging override (.*)", text):
        return f"{match.group(1)}: {_first_line(error.__cause__)}"
    if isinstance(error, MissingMandatoryValue) and error.full_key:
        return f"{error.full_key}: missing; expected {error.full_key}=VALUE"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {_first_line(error)}"
    return " ".join(text.split("\n")[:2]).strip() or _first_line(error)


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


def no_such_option(group: str, option: str, options: Sequence[str], hints: Hints) -> str:
    """The message for an option that a group does not have, or whose extra is not installed."""
    if missing := needs_extra(f"{group}={option}"):
        return missing
    said = hints.said_of_option(group, option) if group in hints.files.groups else None
    said = said or f"expected one of {', '.join(by_nearness(option, options))}"
    return f"{group}={option}: no such option; {said}"


def not_an_override(text: str, hints: Hints) -> str:
    """The message for an argument that is not `key=value`."""
    key, equals, value = text.partition("=")
    if re.fullmatch(r"[+~]*[\w/@:-]+(\.[\w/@:-]+)*", key) and equals and not value.startswith("="):
        return f"{text}: its value cannot be read; with quotes it is a text, as \"{key}='TEXT'\""
    meant = None if equals or not text else hints.word(text) or hints.option("env", text)
    return f"{text}: not an override; " + (f"did you mean {meant}?" if meant else "expected key=value")


def _unknown_key(key: str, overrides: Sequence[Override], hints: Hints) -> str:
    if key in MOVED:
        return f"{key}: is called {MOVED[key]} now"
    if key.startswith("hydra."):
        return f"{key}: no such key of Hydra's, or of its launcher and sweeper; --cfg hydra shows them"
    override = next((o for o in overrides if o.key_or_group == key), None)
    if override is not None and key in hints.keys and isinstance(given := override.value(), dict):  # checkpoint={…}
        wrong = next((f"{key}.{leaf}" for leaf in given if f"{key}.{leaf}" not in hints.keys), key)
        return f"{wrong}: {hints.unknown_key(wrong)}"
    value = "" if override is None else str(override.input_line).partition("=")[2]
    return f"{key}: {hints.unknown_key(key, value)}"
