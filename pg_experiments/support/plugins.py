"""Plugins: third-party modules that provide options of the project's groups, and environments.

Importing a plugin registers its options, by the decorator `option`, and its environments, by Gymnasium's `register`.
A folder `conf/` beside the module can have YAML files: options, experiments, tuned values. An installed package
declares its module in the entry-point group `pg_experiments.plugins`; other modules are named by `--plugin`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pg_experiments.support.errors import FileError, UserError, nearest, one_line
from pg_experiments.support.files import Directory

ENTRY_POINTS = "pg_experiments.plugins"
VARIABLE = "PG_EXPERIMENTS_PLUGINS"  # passes the values of `--plugin` to the processes of a launcher

Option = TypeVar("Option", bound=type)


@dataclass(frozen=True)
class Plugin:
    """A plugin that has been loaded."""

    module: ModuleType
    told: str  # value of `--plugin` that loads it from any directory; empty for an installed plugin
    package: str = ""  # package that installed it

    @property
    def name(self) -> str:
        """The name of the module."""
        return self.module.__name__

    @property
    def config_directory(self) -> Path | None:
        """The plugin's folder of YAML files; None where there is none."""
        file = self.module.__file__
        folder = Path(file).parent / "conf" if file else None
        return folder if folder and folder.is_dir() else None


_loaded: dict[str, Plugin] = {}  # by name
_options: dict[str, dict[str, type]] = {}  # group -> name -> class


def option(group: str, name: str) -> Callable[[Option], Option]:
    """Register a frozen dataclass as an option of a group, chosen by `GROUP=NAME`.

    The fields are the option's keys, their annotations (`Annotated[int, Ge(1)]`) are validated, and their defaults are
    the default values of the config. `conf/GROUP/NAME.yaml` beside the plugin replaces the defaults, and can document
    each key.

    Raises:
        TypeError: the class is not a dataclass.
        ValueError: another class is registered as this option.
    """

    def register(cls: Option) -> Option:
        if not is_dataclass(cls):
            raise TypeError(f"{group}={name}: {cls.__name__} is no dataclass")
        other = _options.setdefault(group, {}).setdefault(name, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"{group}={name}: is registered by {other.__module__} already")
        _options[group][name] = cls
        return cls

    return register


def registered() -> dict[str, dict[str, type]]:
    """The options registered by plugins: group -> name -> class."""
    return {group: dict(options) for group, options in _options.items()}


def loaded() -> list[Plugin]:
    """The plugins loaded in this process."""
    return list(_loaded.values())


def config_directories() -> list[Path]:
    """The folders of YAML files of all loaded plugins."""
    return [folder for plugin in _loaded.values() if (folder := plugin.config_directory) is not None]


def plugin_of(module: str) -> Plugin | None:
    """The plugin that contains a module; None for other modules."""
    return next((p for p in _loaded.values() if f"{module}.".startswith(f"{p.name.partition('.')[0]}.")), None)


def load(told: Iterable[str] = ()) -> None:
    """Import the installed plugins, those named in the environment variable, and those in `told`.

    Args:
        told: values of `--plugin`: modules (`my_module`), files (`./my_env.py`) or package directories.

    Raises:
        UserError: a plugin cannot be imported.
    """
    for point in entry_points(group=ENTRY_POINTS):
        _load_installed(point)
    for value in [*filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)), *told]:
        _load_told(value)


def _load_installed(point: EntryPoint) -> None:
    if point.module not in _loaded:
        package = point.dist.name if point.dist else point.module
        module = _import(point.module, f"the plugin {point.module} of the installed package {package}")
        _loaded[point.module] = Plugin(module, "", package)


def _load_told(value: str) -> None:
    path = Path(value).expanduser()
    name, file, lasting = value, None, value
    if value.endswith(".py") or len(path.parts) > 1:
        name, file, lasting = path.stem, _file(value, path), str(path.resolve())
    folder = str(Path.cwd() if file is None else path.resolve().parent)
    if name in _loaded and file is None:
        return
    if folder not in sys.path:
        sys.path.append(folder)  # appended, so that a user's file does not shadow another module
    where = _where_python_finds(name, value)
    if file is not None and where != file:
        raise UserError(
            f"plugin {value}: Python already has a module {name} ({where or 'built in'}); expected another file name"
        )
    if name not in _loaded:
        _loaded[name] = Plugin(_import(name, f"plugin {value}"), lasting)


def _file(value: str, path: Path) -> Path:
    """The file of a module given by path."""
    for file in (path, path / "__init__.py"):
        if file.is_file():
            return file.resolve()
    near = nearest(value, [str(path.parent / name) for name in _python_files(path.parent)])
    raise UserError(f"plugin {value}: not found" + (f"; did you mean {near}?" if near else "; expected a Python file"))


def _python_files(folder: Path) -> list[str]:
    """The names of the Python files in a folder; none where it cannot be read."""
    try:
        return Directory(folder).glob("*.py")
    except FileError:
        return []


def _where_python_finds(name: str, value: str) -> Path | None:
    """The file of the module that Python finds by name; None for a module without a file."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):  # a parent package is missing, or the name is invalid
        spec = None
    if spec is not None:
        return Path(spec.origin).resolve() if spec.has_location and spec.origin else None
    near = nearest(name, [file.removesuffix(".py") for file in _python_files(Path.cwd())])
    hint = f"did you mean ./{near}.py?" if near else "expected a module, or a file as ./my_env.py"
    raise UserError(f"plugin {value}: no such module; {hint}")


def _import(name: str, what: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise UserError(f"{what}: cannot be imported ({reason}; {_where(error)})") from error


def _where(error: Exception) -> str:
    """File and line of a plugin's error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    return f"{frames[-1].filename}, line {frames[-1].lineno}"


def flags() -> list[str]:
    """The `--plugin` arguments for the loaded plugins that are not installed."""
    return [part for plugin in _loaded.values() if plugin.told for part in ("--plugin", plugin.told)]
