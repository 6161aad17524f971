"""Which runs are the same but for their seed, and by which keys the others differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pg_experiments.comparison.records import Run, Seed, read_yaml
from pg_experiments.errors import UserError, by_nearness

WITHOUT = re.compile(r"seed|num_seeds|preview|tracking\..*")  # what does not change what is learned
Settings = Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """Seeds that are compared as one: of one configuration, or of all that share a value."""

    settings: Settings  # of the keys that the groups differ in
    strata: Mapping[str, tuple[tuple[Run, Seed], ...]]  # what else differs within the group -> its seeds

    @property
    def label(self) -> str:
        """The settings, as on a command line."""
        return label_of(self.settings) or "the one configuration"

    @property
    def runs(self) -> list[Run]:
        """Each of its runs once."""
        return list({run.path: run for seeds in self.strata.values() for run, _ in seeds}.values())


@dataclass(frozen=True)
class Grouping:
    """All groups, in the order of their first runs."""

    groups: tuple[Group, ...]
    keys: tuple[str, ...]  # those that differ, less those that follow from them
    configurations: tuple[Settings, ...]  # that are compared, each with those keys
    set_aside: tuple[Run, ...]  # runs that do not count, with their problem
    notes: tuple[str, ...]


def label_of(settings: Settings) -> str:
    """`key=value`, with commas between them."""
    return ", ".join(f"{key}={value}" for key, value in settings.items())


def group(runs: Sequence[Run], by: str | None = None) -> Grouping:
    """Group runs by configuration, or by one key with the other settings as strata.

    Raises:
        UserError: no run has the key `by`.
    """
    configurations = _with_choices(runs)
    known = {key for settings in configurations.values() for key in settings}
    if by is not None and by not in known:
        raise UserError(f"by={by}: no run has this key; {_choose_from(by, known)}")
    counted, set_aside, notes = _each_seed_once(runs)
    comparable = {_identity(run): configurations[_identity(run)] for run in runs if run.path in counted}
    keys = _telling_keys(list(comparable.values()), _named(runs), by)
    groups: dict[tuple[str | None, ...], dict[str, list[tuple[Run, Seed]]]] = {}
    own = keys if by is None else [by]
    rest = [key for key in keys if key not in own]
    for run in runs:
        if run.path in counted:
            settings = comparable[_identity(run)]
            strata = groups.setdefault(tuple(settings.get(key) for key in own), {})
            of_stratum = strata.setdefault(label_of(_only(rest, settings)), [])
            of_stratum += [(run, seed) for seed in counted[run.path]]
    return Grouping(
        groups=tuple(
            Group(
                {key: value for key, value in zip(own, values, strict=True) if value is not None},
                {name: tuple(seeds) for name, seeds in strata.items()},
            )
            for values, strata in groups.items()
        ),
        keys=tuple(keys),
        configurations=tuple(_only(keys, settings) for settings in comparable.values()),
        set_aside=tuple(set_aside),
        notes=tuple(notes),
    )


def _only(keys: Iterable[str], settings: Settings) -> dict[str, str]:
    return {key: settings[key] for key in keys if key in settings}


def _choose_from(name: str, known: Iterable[str]) -> str:
    return f"the nearest are {', '.join(by_nearness(name, known)[:5])}"


def _identity(run: Run) -> frozenset[tuple[str, str]]:
    """What makes two runs the same but for their seed."""
    return frozenset((key, value) for key, value in run.settings.items() if not WITHOUT.fullmatch(key))


def _with_choices(runs: Sequence[Run]) -> dict[frozenset[tuple[str, str]], dict[str, str]]:
    """Each configuration once, with the option of each group in place of the name of its class."""
    found: dict[frozenset[tuple[str, str]], dict[str, str]] = {}
    for run in runs:
        identity = _identity(run)
        if identity in found:
            continue
        settings = {key: value for key, value in run.settings.items() if not WITHOUT.fullmatch(key)}
        names = {key.removesuffix(".name"): key for key in settings if re.fullmatch(r"\w+\.name", key)}
        choices = {group: settings.pop(key) for group, key in names.items()} | _choices(run)
        found[identity] = choices | settings
    return found


def _choices(run: Run) -> dict[str, str]:
    """The option of each group by the name that it was chosen with, where Hydra's own record can be read."""
    try:
        choices: Mapping[str, Any] = read_yaml(run.path / ".hydra" / "hydra.yaml")["hydra"]["runtime"]["choices"]
        return {str(group): str(option) for group, option in choices.items() if re.fullmatch(r"\w+", group) and option}
    except Exception:  # another program's file: without it, a group has the name of its class
        return {}


def _named(runs: Sequence[Run]) -> dict[str, None]:
    """The keys that command lines set, in their order."""
    keys = (override.lstrip("+~").partition("=")[0] for run in runs for override in run.overrides)
    return dict.fromkeys(keys)


def _telling_keys(configurations: Sequence[Settings], named: Mapping[str, None], by: str | None) -> list[str]:
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


def _each_seed_once(runs: Sequence[Run]) -> tuple[dict[Path, tuple[Seed, ...]], list[Run], list[str]]:
    """For each run that counts its seeds that no run before it has; the others; and what to say of them."""
    counted: dict[Path, tuple[Seed, ...]] = {}
    first: dict[Any, Run] = {}
    set_aside, repeated = [run for run in runs if run.problem is not None], []
    for run in runs:
        if run.problem is not None:
            continue
        identity = _identity(run)
        new = tuple(seed for seed in run.seeds if (identity, seed.seed) not in first)
        if len(new) < len(run.seeds):
            repeated.append(run)
        if new:
            counted[run.path] = new
        else:
            other = first[identity, run.seeds[0].seed] if run.seeds else run
            set_aside.append(replace(run, problem=f"the same configuration and seed as in {other.path}, which counts"))
        first |= {(identity, seed.seed): run for seed in new}
    notes = []
    if repeated:
        notes.append(f"The same configuration and seed was run again in {len(repeated)} runs; its first run counts.")
    return counted, set_aside, notes


def find_reference(groups: Sequence[Group], wanted: str | None) -> int:
    """The index of the group that the others are compared with: the first, or the first that has those settings.

    Raises:
        UserError: no group has them.
    """
    if wanted is None:
        return 0
    settings = dict(part.strip().split("=", 1) for part in re.split(r",(?=\s*[\w./@]+=)", wanted) if "=" in part)
    for index, candidate in enumerate(groups):
        if settings and settings.items() <= candidate.settings.items():
            return index
    labels = by_nearness(wanted, [candidate.label for candidate in groups])
    raise UserError(f"reference={wanted}: no group has these settings; expected such as {' or '.join(labels[:3])}")
