"""What a run was composed of, as the record shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Composition:
    """The composed config as plain data, and how it came about."""

    values: Mapping[str, Any]
    key_types: Mapping[str, Any]  # every key that any run could have, with its annotation
    choices: Mapping[str, str] = field(default_factory=dict)  # group -> the option that was named
    overridden: frozenset[str] = frozenset()  # what the command line set, in a sweep what differs

    def lines(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """For each group its option and its keys, and last the keys of the run itself."""
        groups = {
            group: (self._option(group), {key: value for key, value in keys.items() if key != "name"})
            for group, keys in self.values.items()
            if isinstance(keys, Mapping) and "name" in keys
        }
        return {**groups, "run": ("", {k: v for k, v in self.values.items() if not isinstance(v, Mapping)})}

    def hyperparameters(self) -> dict[str, Any]:
        """Dotted keys; a group's own name is its option."""
        flat: dict[str, Any] = {}
        for group, (option, keys) in self.lines().items():
            flat |= keys if group == "run" else {group: option, **{f"{group}.{key}": v for key, v in keys.items()}}
        return flat

    def _option(self, group: str) -> str:
        return self.choices.get(group, self.values[group]["name"])
