"""Registration of plugins with Hydra: options without a YAML file, and the override for worker processes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from pg_experiments.support.plugins import VARIABLE, Plugin

MISSING_VALUE = "???"  # OmegaConf's marker of a mandatory value


def keys_of(name: str, option: type) -> dict[str, Any]:
    """The config of an option, from the defaults of its fields."""
    return {"name": name} | dict(_defaults(option))


def _defaults(option: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(option):
        if field.default_factory is not MISSING:
            yield field.name, field.default_factory()
        else:
            yield field.name, MISSING_VALUE if field.default is MISSING else field.default


def offer(registered: Mapping[str, Mapping[str, type]], directories: Collection[Path]) -> None:
    """Register the options in Hydra's config store, except those with a YAML file in one of the directories."""
    store = ConfigStore.instance()
    for group, options in registered.items():
        for name, option in options.items():
            if not any((directory / group / f"{name}.yaml").is_file() for directory in directories):
                store.store(name, keys_of(name, option), group=group, provider=option.__module__)


def for_workers(plugins: Collection[Plugin]) -> list[str]:
    """The override that makes the processes of a launcher load the same plugins."""
    values = os.pathsep.join(plugin.told for plugin in plugins if plugin.told)
    escaped = values.replace("\\", "\\\\").replace("'", "\\'")
    return [f"+hydra.job.env_set.{VARIABLE}='{escaped}'"] if values else []
