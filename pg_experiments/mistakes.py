"""What Hydra says of a mistake on the command line, in one line that tells how to mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException, OverrideParseException

from pg_experiments.errors import by_nearness, nearest
from pg_experiments.launchers import needs_extra
from pg_experiments.option_files import OptionFiles


def explain(error: BaseException, overrides: Sequence[Override], files: OptionFiles) -> str:
    """One line that names the key, what was expected, and the nearest valid value."""
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not an override; expected key=value"
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return no_such_option(group, option, list(error.options))
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; choose another hydra.run.dir (or hydra.sweep.dir)"
    text = str(error)
    if match := re.match(r"Ambiguous value for argument '([^']+)'", text):
        return f"{match.group(1)}: several values are a sweep; add -m before them"
    if match := re.match(r"Could not override '([^']+)'", text):
        return _unknown_key(match.group(1), overrides, files)
    if text.startswith("Config group override must be a string"):
        wrong = next((o for o in overrides if o.key_or_group in files.groups and not isinstance(o.value(), str)), None)
        if wrong is not None:
            return no_such_option(wrong.key_or_group, str(wrong.value()), list(files.groups[wrong.key_or_group]))
    return " ".join(text.split("\n")[:2]).strip()


def no_such_option(group: str, option: str, options: Sequence[str]) -> str:
    """The line for an option that a group does not have, or only with an extra."""
    if missing := needs_extra(f"{group}={option}"):
        return missing
    return f"{group}={option}: no such option; expected one of {', '.join(by_nearness(option, options))}"


def _unknown_key(key: str, overrides: Sequence[Override], files: OptionFiles) -> str:
    group, _, leaf = key.rpartition(".")
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
        who = f"{group}={chosen[-1]}" if chosen else f"a chosen {group}"
        return f"no such key with {who}; {' or '.join(f'{group}={option}' for option in sorted(keys[leaf]))} has it"
    near = nearest(leaf, keys)
    if near is not None:
        return f"no such key; did you mean {group}.{near}?"
    return f"no such key; {group} has {', '.join(sorted(keys))}"
