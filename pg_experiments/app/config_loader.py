"""Hydra's config loader, where a mapping given for a key replaces the one in the file.

Hydra itself merges the two, and refuses keys that only the given one has: with `{DOWN: LEFT, UP: RIGHT}` in the file,
`env.actions={NOOP:NOOP}` would be an error, and `env.actions={DOWN:NOOP}` would keep UP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra._internal import hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf


class ConfigLoader(ConfigLoaderImpl):
    """Composes configs as Hydra does, except for mappings as values (`env.actions`).

    Groups and sections (`tracking`), which have no dot in their keys, are still merged; so are keys of Hydra.
    """

    def _parse_overrides_and_create_caching_repo(self, config_name: str | None, overrides: list[str]) -> Any:
        parsed, repository = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        last = {override.key_or_group: at for at, override in enumerate(parsed) if replaces(override)}
        self._replaced = list(last)
        # an earlier override of the mapping has no effect, and would be merged with the last one
        return [override for at, override in enumerate(parsed) if at >= _replaced_at(override, last)], repository

    def _compose_config_from_defaults_list(self, *args: Any, **kwargs: Any) -> DictConfig:
        """The config of the files, before overrides."""
        config = super()._compose_config_from_defaults_list(*args, **kwargs)
        for key in self._replaced:
            if isinstance(OmegaConf.select(config, key), DictConfig):
                OmegaConf.update(config, key, None)
        return config


def replaces(override: Override) -> bool:
    """Whether an override gives a key a mapping as its value."""
    key = override.key_or_group
    return (
        override.type == OverrideType.CHANGE
        and "." in key
        and not key.startswith("hydra.")
        and isinstance(override.value(), dict)
    )


def _replaced_at(override: Override, last: dict[str, int]) -> int:
    """The position of the override that replaces the value of this one, or of a mapping which it belongs to; or 0."""
    key = override.key_or_group
    return max((at for mapping, at in last.items() if f"{key}.".startswith(f"{mapping}.")), default=0)


@contextmanager
def in_hydra_main() -> Iterator[None]:
    """Context in which `hydra.main` composes with `ConfigLoader`. It has no argument for it."""
    before = hydra_main.ConfigLoaderImpl  # type: ignore[attr-defined]
    hydra_main.ConfigLoaderImpl = ConfigLoader  # type: ignore[attr-defined]
    try:
        yield
    finally:
        hydra_main.ConfigLoaderImpl = before  # type: ignore[attr-defined]
