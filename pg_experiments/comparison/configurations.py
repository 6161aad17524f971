"""Configurations: what makes two runs the same but for their seed, and which keys tell different ones apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pg_experiments.comparison.records import Run, read_yaml

WITHOUT = re.compile(r"seed|num_seeds|preview|tracking\..*")  # what does not change what is learned
Settings = Mapping[str, str]
Identity = frozenset[tuple[str, str]]


def identity(run: Run) -> Identity:
    """What makes two runs the same but for their seed."""
    return frozenset((key, value) for key, value in run.settings.items() if not WITHOUT.fullmatch(key))


def with_choices(runs: Sequence[Run]) -> dict[Identity, dict[str, str]]:
    """Each configuration once, with the option of each group in place of the name of its class."""
    found: dict[Identity, dict[str, str]] = {}
    for run in runs:
        if identity(run) in found:
            continue
        settings = {key: value for key, value in run.settings.items() if not WITHOUT.fullmatch(key)}
        names = {key.removesuffix(".name"): key for key in settings if re.fullmatch(r"\w+\.name", key)}
        choices = {group: settings.pop(key) for group, key in names.items()} | _choices(run)
        found[identity(run)] = choices | settings
    return found


def _choices(run: Run) -> dict[str, str]:
    """The option of each group by the name that it was chosen with, where Hydra's own record can be read."""
    try:
        choices: Mapping[str, Any] = read_yaml(run.path / ".hydra" / "hydra.yaml")["hydra"]["runtime"]["choices"]
        return {str(group): str(option) for group, option in choices.items() if re.fullmatch(r"\w+", group) and option}
    except Exception:  # another program's file: without it, a group has the name of its class
        return {}


def named(runs: Sequence[Run]) -> dict[str, None]:
    """The keys that command lines set, in their order."""
    keys = (override.lstrip("+~").partition("=")[0] for run in runs for override in run.overrides)
    return dict.fromkeys(keys)


def telling_keys(configurations: Sequence[Settings], named: Mapping[str, None], by: str | None) -> list[str]:
    """The keys that differ, less those that nobody named and that follow from another choice.

    With `baseline=none,value` the keys of `value` follow from the choice; with `env=cartpole,pong` so do the tuned
    values of all groups.
    """
    every = dict.fromkeys(key for settings in configurations for key in settings)
    differing = [key for key in every if len({settings.get(key) for settings in configurations}) > 1]
    order = {key: place for place, key in enumerate(named)}
    is_choice = {key: any(other.startswith(f"{key}.") for other in every) or key == "experiment" for key in every}
    differing.sort(key=lambda key: (key not in order, order.get(key, 0), not is_choice[key]))
    if by is not None:
        differing = [by, *(key for key in differing if key != by)]
    kept: list[str] = []
    for key in differing:
        choices = [choice for choice in kept if is_choice[choice]]
        if key == by or key in named or not any(_follows(key, choice, configurations) for choice in choices):
            kept.append(key)
    return kept


def _follows(key: str, choice: str, configurations: Sequence[Settings]) -> bool:
    """Whether runs of the same choice have the same value of the key."""
    values: dict[str | None, set[str | None]] = {}
    for settings in configurations:
        values.setdefault(settings.get(choice), set()).add(settings.get(key))
    return all(len(of_choice) == 1 for of_choice in values.values())
