"""Run directories without runs: the files that a run would leave, with curves that are given."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.app.command_line import config_directory
from pg_experiments.run.run import OF_EPISODES
from pg_experiments.run.tracking.metrics import AFTER, BEFORE

COLUMNS = (*BEFORE, *(metric.name for metric in (*OF_EPISODES, *ReinforceAgent.metrics)), *AFTER)
Curve = Sequence[Mapping[str, float]]  # for each update its columns of metrics.csv; those left out are empty


def write_run(
    directory: Path,
    overrides: Sequence[str],
    curves: Mapping[int, Curve],
    *,
    status: str = "done",
    error: str | None = None,
    errors: Mapping[int, str] | None = None,
) -> Path:
    """One run whose seeds have those curves; a seed is solved where `mean_return` first reaches the threshold.

    Args:
        directory: is made, and returned.
        overrides: what composes the config, without the seed.
        curves: seed -> its curve.
        status: as in `result.json`.
        error: likewise.
        errors: seed -> what stopped it, where its learning went wrong.
    """
    config, choices = _composed(tuple(overrides))
    hidden = directory / ".hydra"
    hidden.mkdir(parents=True)
    seed = {"seed": min(curves, default=0), "num_seeds": len(curves)}
    named = [*overrides, *(f"{key}={value}" for key, value in seed.items())]
    files = {"config": config | seed, "overrides": named}
    files["hydra"] = {"hydra": {"runtime": {"choices": choices, "config_sources": []}, "overrides": {"hydra": []}}}
    for name, content in files.items():
        (hidden / f"{name}.yaml").write_text(yaml.dump(content, Dumper=yaml.CSafeDumper), encoding="utf-8")
    with (directory / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for of_seed, curve in curves.items():
            writer.writerows({"update": update, "seed": of_seed, **row} for update, row in enumerate(curve))
    seeds = [_of_seed(of_seed, curve, config["env"]["threshold"]) for of_seed, curve in curves.items()]
    for of_seed in seeds:
        of_seed["error"] = (errors or {}).get(of_seed["seed"])
    result = {"status": status, "num_seeds": len(seeds), "env_steps": sum(seed["env_steps"] for seed in seeds)}
    result |= {"updates": max(map(len, curves.values()), default=0), "wall_time_s": 2.0, "error": error, "seeds": seeds}
    (directory / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return directory


@cache
def _composed(overrides: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config as plain data, and which option each group has."""
    with initialize_config_dir(config_directory(), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    choices: dict[str, Any] = dict(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}, choices


def _of_seed(seed: int, curve: Curve, threshold: float | None) -> dict[str, Any]:
    there = [row for row in curve if threshold is not None and row.get("mean_return", -1e9) >= threshold]
    final = curve[-1].get("mean_return", math.nan) if curve else math.nan
    return {
        "seed": seed,
        "solved": bool(there),
        "episodes_to_solve": there[0]["episodes"] if there else None,
        "env_steps": curve[-1]["env_steps"] if curve else 0,
        "episodes": curve[-1]["episodes"] if curve else 0,
        "final_return": final if math.isfinite(final) else None,
    }
