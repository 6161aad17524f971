"""What the benchmarks share: a run made from overrides, without the command line, and the machine's name."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pg_experiments.app.command_line import config_directory
from pg_experiments.run.config import RunConfig, check, every_key
from pg_experiments.run.run import Run
from pg_experiments.run.tracking import Composition, Tracker
from pg_experiments.support.run_directory import RunDirectory


def checked(*overrides: str) -> RunConfig:
    """The checked config of those overrides."""
    return check(_composed(*overrides))


def _composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(config_directory(), version_base="1.3"):
        composed = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    return cast("dict[str, Any]", composed)


@contextmanager
def prepared(*overrides: str) -> Iterator[tuple[Run, Tracker]]:
    """A run and its tracker, in a directory that is gone afterwards."""
    composed = _composed(*overrides)
    config = check(composed)
    run = Run(config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        tracker = Tracker(
            RunDirectory.claim(path / "run"),
            run.accounts,
            run.metrics,
            composition=Composition(composed, every_key()),
            browse=path,
            every_steps=config.tracking.every_steps,
            plain_every_seconds=1e9,
            histograms_every=config.tracking.histograms_every,
        )
        yield run, tracker


def machine() -> str:
    """The machine, in a line."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
