"""Runs with a checkpoint, for tests of what is done with a run afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import yaml

from pg_experiments.run.checkpoint import Checkpoints
from pg_experiments.support.identity import identity
from tests.conftest import composed, make_run, track

SMALL_PONG = ("env=pong", "policy.hidden=8", "env.num_envs=2", "collect.points=2", "env.max_steps=50")


def save_run(directory: Path, *overrides: str) -> Path:
    """Train a run as its command does. Returns the directory."""
    run, values = make_run(*overrides), composed("device=cpu", *overrides)
    tracker = track(run, directory, *overrides)
    run.execute(tracker, Checkpoints(directory, run.config.checkpoint, identity(values)))
    tracker.directory.release()
    (directory / ".hydra").mkdir()
    (directory / ".hydra" / "config.yaml").write_text(yaml.safe_dump(values))
    return directory


def checkpoint_of(run: Path) -> Path:
    """The file of a run's only checkpoint."""
    (file,) = (run / "checkpoints").glob("update_*.pt")
    return file


def change_checkpoint(run: Path, **changes: Any) -> None:
    """Overwrite some of what a run's only checkpoint holds."""
    file = checkpoint_of(run)
    torch.save(torch.load(file, weights_only=True) | changes, file)


def worse_in_the_end(run: Path) -> Path:
    """Let the last parameters of a run be others than its best. Returns the directory."""
    agent = torch.load(checkpoint_of(run), weights_only=True)["agent"]
    agent["policy"] = {name: -tensor for name, tensor in agent["policy"].items()}
    change_checkpoint(run, agent=agent)
    return run


class Malice:
    """Makes a directory when it is unpickled without restrictions."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)
