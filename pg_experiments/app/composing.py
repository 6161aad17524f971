"""Compose a config without running anything, and without changing Hydra's state in the process.

Hydra's own `initialize` and `compose` replace the global state of the process: another application of Hydra in it would
find other objects after them, and two threads would disturb each other. Here a config loader is made for each use. The
version base, and options of plugins in the config store, have no other place: they are set under a lock, and restored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from threading import RLock
from typing import Any, cast

from hydra import version
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pg_experiments.app.config_loader import ConfigLoader
from pg_experiments.support.files import Directory

VERSION_BASE = "1.3"
_LOCK = RLock()


class Compose:
    """Composes a primary config from overrides. The result includes the `hydra` node."""

    def __init__(self, loader: ConfigLoader, config_name: str, search: Sequence[str]) -> None:
        self.loader = loader
        self._config_name, self._search = config_name, list(search)

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        return self.loader.load_configuration(self._config_name, [*overrides, *self._search], RunMode.RUN, False)


@contextmanager
def composing(directories: Sequence[Path], config_name: str = "config") -> Iterator[Compose]:
    """Yields a function that composes a primary config. `directories` are config directories, the project's first.

    Other threads wait until the context ends. Options that are added to Hydra's config store in it are removed then.
    """
    with _LOCK:
        setup_globals()  # the resolvers that Hydra's own config uses
        Plugins.instance()  # once in a process, plugins of Hydra put their configs into the store
        with restored():
            version.setbase(VERSION_BASE)
            loader = ConfigLoader(create_config_search_path(str(directories[0])))
            yield Compose(loader, config_name, search_path(directories))


@contextmanager
def restored() -> Iterator[None]:
    """On leaving, restores Hydra's version base and config store."""
    base, store = version.VersionBase.instance(), ConfigStore.instance()
    before, options = base.version_base, _copied(store.repo)
    try:
        yield
    finally:
        base.version_base, store.repo = before, options


def _copied(groups: dict[str, Any]) -> dict[str, Any]:
    return {name: _copied(entry) if isinstance(entry, dict) else entry for name, entry in groups.items()}


@dataclass(frozen=True)
class Composed:
    """A composed config of a run: its own keys, and Hydra's."""

    own: DictConfig
    hydra: DictConfig

    @property
    def values(self) -> dict[str, Any]:
        """Its own keys as plain, resolved data."""
        own = OmegaConf.to_container(self.own, resolve=True, throw_on_missing=True)
        return cast("dict[str, Any]", own)

    @property
    def choices(self) -> dict[str, str]:
        """The chosen option of each group, by config name."""
        return {str(group): str(option) for group, option in self.hydra.runtime.choices.items()}

    @property
    def overridden(self) -> frozenset[str]:
        """The keys that the command line set; in a sweep, the keys that differ between jobs."""
        job = self.hydra.job
        pairs = (pair.partition("=") for pair in job.override_dirname.split(job.config.override_dirname.item_sep))
        return frozenset(key for key, _, _ in pairs)

    def save(self, directory: Directory) -> None:
        """Write the files of `.hydra/`. Hydra itself would overwrite those of another run."""
        directory.make_folder(".hydra")  # may exist: a user's primary config may let Hydra write it
        parts = {
            "hydra.yaml": OmegaConf.to_yaml(OmegaConf.create({"hydra": self.hydra})),
            "overrides.yaml": OmegaConf.to_yaml(self.hydra.overrides.task),
            # resolved, so that it can be read without Hydra; written last, as its presence marks a run
            "config.yaml": OmegaConf.to_yaml(self.own, resolve=True),
        }
        for name, text in parts.items():
            directory.replace(f".hydra/{name}", methodcaller("write", text.encode()))


def search_path(directories: Sequence[Path]) -> list[str]:
    """The override that adds config directories other than the first to Hydra's search path, if there are any."""
    own = ",".join(f"file://{path}" for path in directories[1:])
    return [f"hydra.searchpath=[{own}]"] if own else []


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy of the config without the `hydra` node."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def plain(config: DictConfig) -> dict[str, Any]:
    """The config without the `hydra` node as plain, resolved data."""
    return Composed(without_hydra(config), config.hydra).values
