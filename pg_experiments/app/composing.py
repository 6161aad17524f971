"""Compose a config without running anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

Compose = Callable[[Sequence[str]], DictConfig]  # from overrides to a config that includes the `hydra` node


@contextmanager
def composing(directories: Sequence[Path], config_name: str = "config") -> Iterator[Compose]:
    """Yields a function that composes a primary config. `directories` are config directories, the project's first."""
    search = search_path(directories)
    with initialize_config_dir(str(directories[0]), version_base="1.3"):
        yield lambda overrides: compose(config_name, [*overrides, *search], return_hydra_config=True)


def search_path(directories: Sequence[Path]) -> list[str]:
    """The override that adds config directories other than the first to Hydra's search path, if there are any."""
    own = ",".join(f"file://{path}" for path in directories[1:])
    return [f"hydra.searchpath=[{own}]"] if own else []


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy of the config without the `hydra` node."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def plain(config: DictConfig) -> dict[str, Any]:
    """The config without the `hydra` node as plain, resolved data."""
    own = OmegaConf.to_container(without_hydra(config), resolve=True, throw_on_missing=True)
    return cast("dict[str, Any]", own)
