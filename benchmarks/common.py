"""What the benchmarks share: a run made from overrides, without the command line, and the machine's name."""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from pg_experiments.app.command_line import config_directory
from pg_experiments.run.config import RunConfig, check, every_key
from pg_experiments.run.made_with import made_with
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
            made_with=made_with(run.device),
            browse=path,
            every_steps=config.tracking.every_steps,
            plain_every_seconds=1e9,
            histograms_every=config.tracking.histograms_every,
        )
        yield run, tracker


def machine() -> str:
    """The machine, in a line."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def write_speeds(
    file: str | None, rounds: Sequence[Mapping[str, float]], ratios: Mapping[str, float], **more: float
) -> None:
    """Writes what a benchmark has measured as JSON, if a file was given; `docs.remake` reads it.

    Args:
        file: its path, or None.
        rounds: environment steps per second of each side, in each round.
        ratios: what is shown beside the speed of a side.
        more: other numbers.
    """
    sides = {
        side: {"steps_per_second": statistics.median(r[side] for r in rounds), "ratio": ratios.get(side)}
        for side in rounds[0]
        if side not in more
    }
    write_measured(file, sides=sides, rounds=rounds, **more)


def write_measured(file: str | None, **values: Any) -> None:
    """Writes values and the machine as JSON, if a file was given; `docs.remake` reads it."""
    if file is not None:
        measured = {"machine": machine(), "torch": torch.__version__, **values}
        Path(file).write_text(json.dumps(measured, indent=2) + "\n")
