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
    first, *own = map(str, directories)
    search = [f"hydra.searchpath=[{','.join(f'file://{path}' for path in own)}]"] if own else []
    with initialize_config_dir(first, version_base="1.3"):
        yield lambda overrides: compose(config_name, [*overrides, *search], return_hydra_config=True)


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy of the config without the `hydra` node."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def plain(config: DictConfig) -> dict[str, Any]:
    """The config without the `hydra` node as plain, resolved data."""
    own = OmegaConf.to_container(without_hydra(config), resolve=True, throw_on_missing=True)
    return cast("dict[str, Any]", own)
