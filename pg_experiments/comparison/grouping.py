"""Groups runs by configuration, or by one key with the other settings as strata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pg_experiments.comparison.configurations import (
    Identity,
    Settings,
    choices,
    identity,
    named,
    telling_keys,
    with_choices,
)
from pg_experiments.comparison.records import Run, Seed
from pg_experiments.support.errors import UserError, by_nearness, one_line

Sample = tuple[Run, Seed]
ABSENT = "(none)"  # the value of a key that a configuration does not have


@dataclass(frozen=True)
class Group:
    """Seeds that are compared as one sample: of one configuration, or of all configurations that share a value."""

    settings: Settings  # values of the keys that distinguish groups
    strata: Mapping[str, tuple[Sample, ...]]  # other settings that differ within the group -> seeds

    @property
    def lines(self) -> list[str]:
        """The settings, each as `key=value`."""
        return [f"{key}={value}" for key, value in self.settings.items()] or ["the one configuration"]

    @property
    def label(self) -> str:
        """The settings in one line."""
        return ", ".join(self.lines)

    @property
    def runs(self) -> list[Run]:
        """The distinct runs of the group."""
        return list({run.path: run for seeds in self.strata.values() for run, _ in seeds}.values())


@dataclass(frozen=True)
class Grouping:
    """All groups, in the order of their first runs."""

    groups: tuple[Group, ...]
    keys: tuple[str, ...]  # keys that distinguish configurations, as `telling_keys` returns them
    configurations: tuple[Settings, ...]  # compared configurations with all their keys
    set_aside: tuple[Run, ...]  # excluded runs, with their problem
    notes: tuple[str, ...]


def group(runs: Sequence[Run], by: str | None = None) -> Grouping:
    """Group runs by configuration, or by one key with the other settings as strata.

    Raises:
        UserError: no run has the key `by`.
    """
    every = with_choices(runs)
    counted, set_aside, notes = _each_seed_once(runs)
    compared = {identity(run): every[identity(run)] for run in runs if run.path in counted}
    known = {key for settings in (compared or every).values() for key in settings}
    if by is not None and by not in known:
        raise UserError(f"by={by}: no run has this key; the nearest are {', '.join(by_nearness(by, known)[:5])}")
    keys = telling_keys(list(compared.values()), choices(runs), named(runs), by)
    own = keys if by is None else [by]
    groups: dict[tuple[str, ...], dict[str, list[Sample]]] = {}
    for run in runs:
        if run.path in counted:
            settings = compared[identity(run)]
            strata = groups.setdefault(tuple(settings.get(key, ABSENT) for key in own), {})
            others = [f"{key}={settings[key]}" for key in keys if key in settings and key not in own]
            strata.setdefault(", ".join(others), []).extend((run, seed) for seed in counted[run.path])
    return Grouping(
        groups=tuple(_group(own, values, strata, by) for values, strata in groups.items()),
        keys=tuple(keys),
        configurations=tuple(compared.values()),
        set_aside=tuple(set_aside),
        notes=tuple(notes),
    )


def _group(keys: Sequence[str], values: Sequence[str], strata: Mapping[str, list[Sample]], by: str | None) -> Group:
    """Build a group. Absent settings are left out, except that of the key `by`."""
    settings = {key: value for key, value in zip(keys, values, strict=True) if value != ABSENT or key == by}
    return Group(settings, {name: tuple(samples) for name, samples in strata.items()})


def _each_seed_once(runs: Sequence[Run]) -> tuple[dict[Path, tuple[Seed, ...]], list[Run], list[str]]:
    """Remove repeated seeds. Returns the counted seeds of each run, the excluded runs, and notes about them."""
    counted: dict[Path, tuple[Seed, ...]] = {}
    first: dict[tuple[Identity, int], Run] = {}
    set_aside, repeated = [run for run in runs if run.problem is not None], 0
    for run in runs:
        if run.problem is not None:
            continue
        configuration = identity(run)
        new = tuple(seed for seed in run.seeds if (configuration, seed.seed) not in first)
        repeated += len(new) < len(run.seeds)
        if new:
            counted[run.path] = new
        else:
            other = first[configuration, run.seeds[0].seed].path if run.seeds else None
            same = f"the same configuration and seed as {one_line(str(other))}, which counts"
            why = "has no seeds" if other is None else same
            set_aside.append(replace(run, problem=why))
        first |= {(configuration, seed.seed): run for seed in new}
    notes = [f"Of {repeated} runs the configuration and a seed were run before; the first run counts."]
    return counted, set_aside, notes if repeated else []


def find_reference(groups: Sequence[Group], wanted: str | None) -> int:
    """The index of the reference group: the first group, or the first with the given settings.

    Raises:
        UserError: no group has these settings.
    """
    if wanted is None:
        return 0
    settings = dict(part.strip().split("=", 1) for part in re.split(r",(?=\s*[\w./@]+=)", wanted) if "=" in part)
    for index, candidate in enumerate(groups):
        if settings and settings.items() <= candidate.settings.items():
            return index
    labels = by_nearness(wanted, [candidate.label for candidate in groups])
    raise UserError(f"reference={wanted}: no group has these settings; expected such as {' or '.join(labels[:3])}")
