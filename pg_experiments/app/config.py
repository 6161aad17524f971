"""A composed and checked config of a run, as an object for Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from pg_experiments.support.errors import UserError, nearest
from pg_experiments.support.identity import flat

if TYPE_CHECKING:
    from pg_experiments.run.config import RunConfig


@dataclass(frozen=True, eq=False, repr=False)
class Config:
    """A composed and checked config of a run. `print` shows all of it as YAML; `config["env.threshold"]` is one value.

    Attributes:
        overrides: the overrides that it was composed from, as a command line has them.
        choices: the chosen option of each group, such as `{"env": "cartpole", "policy": "mlp"}`.
        values: all keys as nested dicts of plain data; a copy, so that changes have no effect.
        run: the same as typed objects, such as `config.run.env.max_episodes`.
    """

    overrides: tuple[str, ...]
    choices: Mapping[str, str]
    values: dict[str, Any]
    run: RunConfig

    def __getitem__(self, key: str) -> Any:
        """The value of a dotted key. Raises UserError where there is no such key; its message has the nearest."""
        value: Any = self.values
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                break
            value = value[part]
        else:
            return value
        keys = flat(self.values)
        near = nearest(key, keys)
        raise UserError(f"{key}: no such key; " + (f"did you mean {near}?" if near else "print(config) lists the keys"))

    def __str__(self) -> str:
        return str(yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True))

    def __repr__(self) -> str:
        return f"pg_experiments.compose({', '.join(map(repr, self.overrides))})"
