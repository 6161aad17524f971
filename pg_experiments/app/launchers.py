"""Launchers and sweepers of the extras: what to install for each, and the settings that fit this project.

A plugin brings its own config, `hydra/launcher=joblib`. A file of that name in `conf/` would stand in for it, so ours
lies beside it, in `conf/hydra/launcher_settings/`, and goes on top of it.
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

# option → (the plugin, the extra that brings it)
EXTRAS = {
    "hydra/launcher=joblib": ("hydra_joblib_launcher", "joblib"),
    "hydra/launcher=submitit_local": ("hydra_submitit_launcher", "slurm"),
    "hydra/launcher=submitit_slurm": ("hydra_submitit_launcher", "slurm"),
    "hydra/launcher=ray": ("hydra_ray_launcher", "ray"),
    "hydra/sweeper=optuna": ("hydra_optuna_sweeper", "optuna"),
}
# plugin → what it imports when a sweep begins
LIBRARIES = {
    "hydra_joblib_launcher": "joblib",
    "hydra_submitit_launcher": "submitit",
    "hydra_ray_launcher": "ray",
    "hydra_optuna_sweeper": "optuna",
    "pg_experiments_search": "optuna",
}


def needs_extra(choice: str) -> str | None:
    """What to install for `group=option`; None where nothing is missing."""
    plugin, extra = EXTRAS.get(choice, (None, None))
    if plugin is None or extra is None or (find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{plugin}")):
        return None
    return errors.needs_extra(choice, extra)


def import_libraries(targets: Iterable[str]) -> None:
    """Import what the chosen launcher and sweeper are about to import, where a signal cannot break it.

    Args:
        targets: their classes by dotted names.
    """
    with deferred():
        for library in {LIBRARIES[plugin] for target in targets if (plugin := f"{target}.".split(".")[1]) in LIBRARIES}:
            import_module(library)


def launcher_settings(overrides: Sequence[Override]) -> list[str]:
    """The override that puts our settings on top of the config of the launcher that is chosen, if there are any.

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
                added += _where_ray_is_told_to_write(overrides)
    return added


def _where_ray_is_told_to_write(overrides: Sequence[Override]) -> list[str]:
    """The sweep's directory as an absolute path: a job on a cluster starts where its node was started."""
    given = [override.value() for override in overrides if override.key_or_group == "hydra.sweep.dir"]
    return [f"hydra.sweep.dir='{Path(str(directory)).absolute()}'" for directory in given[-1:]]
