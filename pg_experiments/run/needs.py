"""The plugins that a run needs: recorded in its directory, and checked when it is loaded or resumed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pg_experiments.support.errors import FileError, UserError
from pg_experiments.support.files import Directory
from pg_experiments.support.plain_data import read_group
from pg_experiments.support.plugins import plugin_of, registered

NEEDS = ".hydra/plugins.yaml"  # in a run's directory
ENVIRONMENT = "env.id"


def plugins_of(config: Any) -> dict[str, dict[str, Any]]:
    """The plugins that a run's options come from.

    Args:
        config: the run's validated config.

    Returns:
        By plugin name: `told` (the value of `--plugin`; empty for an installed plugin), `package` (the package that
        installed it), and `offers` (the choices of the run that it provides, as `policy=residual` or `env.id=Mine-v0`).
    """
    needed: dict[str, dict[str, Any]] = {}
    for module, choice in _origins(config):
        if (plugin := plugin_of(module)) is not None:
            entry = {"told": plugin.told, "package": plugin.package, "offers": []}
            needed.setdefault(plugin.name, entry)["offers"].append(choice)
    return needed


def _origins(config: Any) -> Iterable[tuple[str, str]]:
    """The module and the text of each choice that may come from a plugin."""
    for group, options in registered().items():
        chosen = type(getattr(config, group))
        yield from ((chosen.__module__, f"{group}={name}") for name, cls in options.items() if cls is chosen)
    source = getattr(config.env, "source", None)
    if source is not None:
        yield source, f"{ENVIRONMENT}={config.env.id}"


def write_needs(config: Any, files: Directory) -> None:
    """Record the plugins that a run needs, if there are any."""
    needed = plugins_of(config)
    if needed:
        files.replace(NEEDS, lambda file: file.write(yaml.safe_dump(needed, sort_keys=False).encode()))


def refuse_missing(files: Directory) -> None:
    """Refuse a run whose plugins are not loaded. No module named in its directory is imported.

    Raises:
        UserError: a plugin is missing. The message names the first one, and how to load it.
        FileError: the record of its plugins cannot be read.
    """
    if not files.has_file(NEEDS):
        return
    for name, entry in read_group(files, NEEDS).items():
        offers = entry.get("offers") if isinstance(entry, dict) else None
        if not isinstance(offers, list):
            raise FileError(f"{files.path / NEEDS}: expected a list of what each plugin offers")
        if missing := [choice for choice in map(str, offers) if not _is_here(choice)]:
            raise UserError(f"{files.path}: needs {', '.join(missing)} of the plugin {name}; {_remedy(name, entry)}")


def _is_here(choice: str) -> bool:
    group, _, name = choice.partition("=")
    if group != ENVIRONMENT:
        return name in registered().get(group, {})
    import gymnasium  # deferred: slow, and few runs need a plugin

    return name in gymnasium.registry


def _remedy(name: str, entry: dict[str, Any]) -> str:
    if entry.get("package"):
        return f"expected its package {entry['package']} to be installed"
    plugin = Path(str(entry.get("told") or name))
    return f"expected --plugin {plugin}; in Python, import it before load_run"
