"""Configurations: the identity of a run apart from its seed, and the keys that distinguish configurations."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pg_experiments.comparison.records import LONGEST, Run
from pg_experiments.support.errors import one_line
from pg_experiments.support.files import Directory, FileError
from pg_experiments.support.identity import is_sideshow
from pg_experiments.support.plain_data import read_group

GROUP = re.compile(r"\w+\.name")  # the key with the option of a group
Settings = Mapping[str, str]
Identity = frozenset[tuple[str, str]]


def identity(run: Run) -> Identity:
    """The settings of a run without its seeds and without settings that do not affect learning."""
    return frozenset(_settings(run).items())


def _settings(run: Run) -> dict[str, str]:
    without = {"seed", "num_seeds"}
    return {key: value for key, value in run.settings.items() if key not in without and not is_sideshow(key)}


def with_choices(runs: Sequence[Run]) -> dict[Identity, dict[str, str]]:
    """The distinct configurations, with the chosen option of each group in place of its `name`."""
    found: dict[Identity, dict[str, str]] = {}
    for run in runs:
        if identity(run) in found:
            continue
        settings = _settings(run)
        names = {key.removesuffix(".name"): key for key in settings if GROUP.fullmatch(key)}
        options = {group: settings.pop(key) for group, key in names.items()} | _options(run)
        found[identity(run)] = options | settings
    return found


def _options(run: Run) -> dict[str, str]:
    """The chosen option of each group by config name, where Hydra's record can be read."""
    try:
        found: Any = read_group(Directory(run.path), ".hydra/hydra.yaml")
    except FileError:  # written by Hydra, and optional: without it, `name` is shown
        return {}
    for key in ("hydra", "runtime", "choices"):
        found = found.get(key) if isinstance(found, dict) else None
    choices = found.items() if isinstance(found, dict) else ()
    texts = {one_line(str(group)): one_line(str(option)) for group, option in choices if option}
    return {group: option for group, option in texts.items() if re.fullmatch(r"\w+", group) and len(option) <= LONGEST}


def choices(runs: Sequence[Run]) -> set[str]:
    """The keys that choose an option, that is, the groups and `experiment`."""
    return {"experiment", *(key.removesuffix(".name") for run in runs for key in run.settings if GROUP.fullmatch(key))}


def named(runs: Sequence[Run]) -> dict[str, None]:
    """The keys that the runs' command lines set, in order of appearance."""
    keys = (override.lstrip("+~").partition("=")[0] for run in runs for override in run.overrides)
    return dict.fromkeys(keys)


def telling_keys(
    configurations: Sequence[Settings], choices: Collection[str], named: Mapping[str, None], by: str | None
) -> list[str]:
    """The keys that differ, without those that no command line set and that are determined by the chosen options.

    With `baseline=none,value` the keys of `value` are determined; with `env=cartpole,pong` so are the tuned values of
    all groups.
    """
    every = dict.fromkeys(key for settings in configurations for key in settings)
    differing = [key for key in every if len({settings.get(key) for settings in configurations}) > 1]
    order = {key: place for place, key in enumerate(named)}
    differing.sort(key=lambda key: (key not in order, order.get(key, 0), key not in choices))
    if by is not None:
        differing = [by, *(key for key in differing if key != by)]
    kept: list[str] = []
    for key in differing:
        chosen = [choice for choice in kept if choice in choices]
        if key == by or key in named or not _is_determined(key, chosen, configurations):
            kept.append(key)
    return kept


def _is_determined(key: str, choices: Sequence[str], configurations: Sequence[Settings]) -> bool:
    """Whether configurations with the same choices have the same value of the key."""
    values: dict[tuple[str | None, ...], set[str | None]] = {}
    for settings in configurations:
        values.setdefault(tuple(map(settings.get, choices)), set()).add(settings.get(key))
    return all(len(distinct) == 1 for distinct in values.values())
