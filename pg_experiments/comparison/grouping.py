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
    lines: tuple[str, ...]  # the settings, each as `key=value` with a short key; a value alone where there is one key

    @property
    def label(self) -> str:
        """The settings in one line."""
        return ", ".join(self.lines)

    @property
    def typed(self) -> str:
        """The settings as `reference=` takes them."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items())

    @property
    def runs(self) -> list[Run]:
        """The distinct runs of the group."""
        return list({run.path: run for seeds in self.strata.values() for run, _ in seeds}.values())


@dataclass(frozen=True)
class Grouping:
    """All groups, in the order of their first runs."""

    by: str | None  # the key whose values are the groups; None: each configuration is a group
    groups: tuple[Group, ...]
    keys: tuple[str, ...]  # keys that distinguish configurations, as `telling_keys` returns them
    configurations: tuple[Settings, ...]  # compared configurations with all their keys
    set_aside: tuple[Run, ...]  # excluded runs, with their problem
    repeated: int  # number of runs with a configuration and seed of an earlier run, which counts

    @property
    def fixed(self) -> dict[str, str]:
        """The settings that all compared configurations share."""
        first, *others = self.configurations
        return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def group(runs: Sequence[Run], by: str | None = None) -> Grouping:
    """Group runs by configuration, or by one key with the other settings as strata.

    Raises:
        UserError: no run has the key `by`.
    """
    every = with_choices(runs)
    counted, set_aside, repeated = _each_seed_once(runs)
    compared = {identity(run): every[identity(run)] for run in runs if run.path in counted}
    known = {key for settings in (compared or every).values() for key in settings}
    if by is not None and by not in known:
        raise UserError(f"by={by}: no run has this key; the nearest are {', '.join(by_nearness(by, known)[:5])}")
    samples = [
        (compared[identity(run)], (run, seed)) for run in runs if run.path in counted for seed in counted[run.path]
    ]
    keys = telling_keys(list(compared.values()), choices(runs), named(runs), by)
    return Grouping(
        by=by,
        groups=_groups(samples, keys, by),
        keys=tuple(keys),
        configurations=tuple(compared.values()),
        set_aside=tuple(set_aside),
        repeated=repeated,
    )


def by_factor(grouping: Grouping, key: str) -> Grouping:
    """Group the seeds of configurations by one of the keys that distinguish them."""
    samples = [
        (of_group.settings, sample) for of_group in grouping.groups for of in of_group.strata.values() for sample in of
    ]
    return replace(grouping, by=key, groups=_groups(samples, grouping.keys, key))


def _groups(samples: Sequence[tuple[Settings, Sample]], keys: Sequence[str], by: str | None) -> tuple[Group, ...]:
    """Group samples with their settings. Absent settings are left out, except that of a single key."""
    short = short_keys(keys)
    own = keys if by is None else [by]
    groups: dict[tuple[str, ...], dict[str, list[Sample]]] = {}
    for settings, sample in samples:
        strata = groups.setdefault(tuple(settings.get(key, ABSENT) for key in own), {})
        others = [f"{short[key]}={settings[key]}" for key in keys if key in settings and key not in own]
        strata.setdefault(", ".join(others), []).append(sample)
    found = []
    for values, strata in groups.items():
        settings = {key: value for key, value in zip(own, values, strict=True) if value != ABSENT or len(own) == 1}
        lines = [f"{short[key]}={value}" if len(own) > 1 else value for key, value in settings.items()]
        by_stratum = {name: tuple(of) for name, of in strata.items()}
        found.append(Group(settings, by_stratum, tuple(lines or ["the one configuration"])))
    return tuple(found)


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, or the whole key where another one ends alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def _each_seed_once(runs: Sequence[Run]) -> tuple[dict[Path, tuple[Seed, ...]], list[Run], int]:
    """Remove repeated seeds. Returns the counted seeds of each run, the excluded runs, and how many runs repeat one."""
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
    return counted, set_aside, repeated


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
    labels = by_nearness(wanted, [candidate.typed for candidate in groups])
    raise UserError(f"reference={wanted}: no group has these settings; expected such as {' or '.join(labels[:3])}")
