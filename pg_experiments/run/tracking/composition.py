"""The composition of a run, for the header and for TensorBoard's hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Composition:
    """The composed config as plain data, with the choices and overrides that it results from."""

    values: Mapping[str, Any]
    key_types: Mapping[str, Any]  # all keys that any run can have, with their annotations
    choices: Mapping[str, str] = field(default_factory=dict)  # group -> config name of the chosen option
    overridden: frozenset[str] = frozenset()  # keys set on the command line; in a sweep, keys that differ

    def lines(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """The option and the keys of each group, followed by the top-level keys as `run`."""
        groups = {
            group: (self._option(group), {key: value for key, value in keys.items() if key != "name"})
            for group, keys in self.values.items()
            if isinstance(keys, Mapping) and "name" in keys
        }
        return {**groups, "run": ("", {k: v for k, v in self.values.items() if not isinstance(v, Mapping)})}

    def hyperparameters(self) -> dict[str, Any]:
        """Values by dotted key. The key of a group is its option."""
        flat: dict[str, Any] = {}
        for group, (option, keys) in self.lines().items():
            flat |= keys if group == "run" else {group: option, **{f"{group}.{key}": v for key, v in keys.items()}}
        return flat

    def _option(self, group: str) -> str:
        return self.choices.get(group, self.values[group]["name"])
