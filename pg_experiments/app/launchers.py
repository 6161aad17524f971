"""Launchers and sweepers of the extras: the package that each needs, and the project's settings for it.

A plugin of Hydra has its own config, such as `hydra/launcher=joblib`. A file of that name in `conf/` would replace it.
The project's settings are therefore in `conf/hydra/launcher_settings/`, and are merged into the plugin's config.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from hydra.core.override_parser.types import Override

from pg_experiments.support import errors
from pg_experiments.support.errors import UserError
from pg_experiments.support.interruption import deferred

# option → (plugin of Hydra, extra that installs it)
EXTRAS = {
    "hydra/launcher=joblib": ("hydra_joblib_launcher", "joblib"),
    "hydra/launcher=submitit_local": ("hydra_submitit_launcher", "slurm"),
    "hydra/launcher=submitit_slurm": ("hydra_submitit_launcher", "slurm"),
    "hydra/launcher=ray": ("hydra_ray_launcher", "ray"),
    "hydra/sweeper=optuna": ("hydra_optuna_sweeper", "optuna"),
}
# plugin → library that it imports when a sweep starts
LIBRARIES = {
    "hydra_joblib_launcher": "joblib",
    "hydra_submitit_launcher": "submitit",
    "hydra_ray_launcher": "ray",
    "hydra_optuna_sweeper": "optuna",
    "pg_experiments_search": "optuna",
}


def needs_extra(choice: str) -> str | None:
    """The error message for `group=option` where its extra is not installed; None where it is."""
    plugin, extra = EXTRAS.get(choice, (None, None))
    if plugin is None or extra is None or (find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{plugin}")):
        return None
    return errors.needs_extra(choice, extra)


def import_libraries(targets: Iterable[str]) -> None:
    """Import the libraries of the chosen launcher and sweeper, with signals deferred.

    Args:
        targets: dotted names of the classes of launcher and sweeper.
    """
    with deferred():
        for library in {LIBRARIES[plugin] for target in targets if (plugin := f"{target}.".split(".")[1]) in LIBRARIES}:
            import_module(library)


def launcher_settings(overrides: Sequence[Override]) -> list[str]:
    """The override that merges the project's settings into the config of the chosen launcher, if there are any.

    Raises:
        UserError: the extra of a launcher or sweeper is not installed.
    """
    added = []
    for override in overrides:
        choice = f"{override.key_or_group}={override.value()}"
        if missing := needs_extra(choice):
            raise UserError(missing)
        if choice in EXTRAS and override.key_or_group == "hydra/launcher":
            added = [f"+hydra/launcher_settings@hydra={override.value()}"]
            if override.value() == "ray":
                added += _absolute_sweep_directory(overrides)
    return added


def _absolute_sweep_directory(overrides: Sequence[Override]) -> list[str]:
    """The override for an absolute sweep directory: a Ray job starts in the directory where its node was started."""
    given = [override.value() for override in overrides if override.key_or_group == "hydra.sweep.dir"]
    return [f"hydra.sweep.dir='{Path(str(directory)).absolute()}'" for directory in given[-1:]]
