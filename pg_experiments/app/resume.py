"""`resume=DIR`: resumes a run in its directory from its newest checkpoint, bit for bit as without interruption."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override

from pg_experiments.app.hints import among
from pg_experiments.app.sweep import done_before
from pg_experiments.app.tables import console
from pg_experiments.app.training import run_training
from pg_experiments.run.needs import refuse_missing
from pg_experiments.support.errors import UserError, as_yaml, near_directory
from pg_experiments.support.feedback import COMMAND, Feedback
from pg_experiments.support.files import Directory, Entry
from pg_experiments.support.identity import CONFIG, RESUMABLE, differences, flat, is_sideshow
from pg_experiments.support.interruption import deferred
from pg_experiments.support.legacy import is_of_version_0_1
from pg_experiments.support.plain_data import read_group
from pg_experiments.support.run_directory import EMPTY, RESULT, RunDirectory, read_result

LIMITS = {"env.max_episodes", "env.max_steps"}
ROOTS = ("outputs", "multirun")  # searched for `latest`


def resume(which: str, overrides: Sequence[Override], feedback: Feedback = COMMAND) -> float:
    """Resume a run.

    Args:
        which: its directory, or `latest`: the run below `outputs` and `multirun` with the newest result.
        overrides: settings to change: a longer limit, another device, tracking or checkpoints.
        feedback: what the caller sees.

    Returns:
        The mean final return over seeds; the recorded one where nothing is to do, as the run is done and nothing is
        changed, or every seed is solved and only a limit is longer.

    Raises:
        UserError: there is no such run, or an override would change its identity.
    """
    path = find(which)
    files = Directory(path)
    if not which or not files.has_file(CONFIG):
        raise UserError(f"resume={which}: no run is there (it would have a {CONFIG}){_instead(path)}")
    before = read_group(files, CONFIG)
    refuse_missing(files)
    if is_of_version_0_1(before):
        raise UserError(
            f"resume={which}: version 0.1 made this run, and only version 0.1 can resume it; load_run, evaluate and "
            "compare read it"
        )
    now = _changed(before, overrides)
    with deferred():
        from pg_experiments.run.config import check  # deferred import: torch takes a second
    check(now)
    changes = differences(flat(before), flat(now))
    out = console(quiet=feedback.quiet)
    if not changes and (objective := done_before(path)) is not None:
        out.print(f"{os.path.relpath(path)} is done; {_what_continues(path, before)} continues it")
        return objective
    if _has_nothing_to_do(path, flat(before), flat(now)) and (objective := done_before(path)) is not None:
        out.print(
            f"{os.path.relpath(path)} is solved by every seed, so a longer limit leaves nothing to do; "
            f"a higher env.threshold (it is {_threshold(now)}) continues it"
        )
        return objective
    for key, (old, new) in changes.items():
        out.print(f"{key}: {old} → {new}")

    def claim() -> RunDirectory:
        return RunDirectory.claim(path, again=True)

    def note() -> None:
        if changes:
            files.replace(CONFIG, lambda file: file.write(yaml.safe_dump(now, sort_keys=False).encode()))

    return run_training(
        now, claim, note, choices=_choices(path), overridden=frozenset(changes), browse=path, feedback=feedback
    )


def find(which: str) -> Path:
    """The directory of a run; the newest one for `latest`."""
    return _latest() if which == "latest" else Path(which)


def _latest() -> Path:
    runs: list[tuple[int, Path]] = []
    for files in map(Directory, ROOTS):
        for folder, entries in files.walk(unreadable=lambda *_: None):  # such as another user's folders
            if Entry(RESULT, "file") in entries:
                runs.append((files.status(f"{folder}/{RESULT}").st_mtime_ns, files.path / folder))
                entries.clear()  # runs are not nested
    if not runs:
        raise UserError(f"resume=latest: no run is below {' or '.join(ROOTS)}; expected the directory of one")
    return max(runs)[1]


def _instead(path: Path) -> str:
    """A hint for a path without a run: it is a sweep, or the nearest directory."""
    if Directory(path).glob(f"*/{CONFIG}"):
        return "; of a sweep's jobs each is a run, and the sweep's own command resumes all of them"
    return near_directory(path)


def _what_continues(path: Path, config: dict[str, Any]) -> str:
    """The setting that lets a finished run continue: a higher threshold if it was solved, else a longer limit."""
    if _is_solved(path):
        return f"it was solved; a higher env.threshold (it is {_threshold(config)})"
    limits = {key: value for key, value in flat(config).items() if key in ("env.max_episodes", "env.max_steps")}
    key, value = next(((key, value) for key, value in limits.items() if value is not None), ("env.max_steps", 1))
    return f"a longer limit, as {key}={value * 2},"


def _has_nothing_to_do(path: Path, before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether every seed is solved and the only changes are longer limits. Values are checked by the caller."""
    changed = differences(before, now)
    longer = (now[key] is None or (before[key] is not None and now[key] > before[key]) for key in LIMITS & set(changed))
    return set(changed) <= LIMITS and all(longer) and _is_solved(path)


def _is_solved(path: Path) -> bool:
    """Whether every seed of the run has been solved."""
    seeds = (read_result(path) or EMPTY)["seeds"]
    return bool(seeds) and all(seed["solved"] for seed in seeds)


def _threshold(config: dict[str, Any]) -> str:
    """The run's threshold, for a message; null stands for the one that the environment registers."""
    return as_yaml(config["env"].get("threshold"))


def _changed(before: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """The config with the overrides applied.

    Raises:
        UserError: an override is not a plain `key=value`, or its key is part of the run's identity.
    """
    now = {key: dict(value) if isinstance(value, dict) else value for key, value in before.items()}
    allowed = [key for key in flat(before) if key in RESUMABLE or is_sideshow(key)]
    for override in overrides:
        key = override.key_or_group
        if override.is_sweep_override() or override.is_add() or override.is_delete():
            raise UserError(f"{override.input_line}: with resume= expected key=value")
        if key not in allowed:
            near = among(key, allowed)
            hint = f"did you mean {near}?" if near else f"what may change is {', '.join(allowed)}"
            raise UserError(f"{key}: with resume= it cannot change, it would be another run; {hint}")
        group, _, leaf = key.rpartition(".")
        (now[group] if group else now)[leaf] = override.value()
    return now


def _choices(path: Path) -> dict[str, str]:
    """The chosen option of each group, for display; empty where Hydra's record cannot be read."""
    try:
        choices = read_group(Directory(path), ".hydra/hydra.yaml")["hydra"]["runtime"]["choices"]
        return {str(group): str(option) for group, option in choices.items()}
    except (UserError, KeyError, TypeError, AttributeError):
        return {}
