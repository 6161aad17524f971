"""REINFORCE on CartPole with and without a baseline, for three ways of normalising: the sweep of the README."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import yaml

from docs.remake.artefact import RESULTS, Artefact, copied, table
from docs.remake.marked import ROOT
from pg_experiments.comparison.statistics import estimate, fraction, interquartile_mean, median

SWEEP = ROOT / "multirun" / "readme"
FILE = RESULTS / "normalization.csv"
LIMIT = 500  # episodes
COLUMNS = ("normalization", "baseline", "seed", "solved", "episodes", "env_steps", "final_return")


def keep() -> None:
    """A row for each seed, and the picture of the comparison."""
    with FILE.open("w", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        rows.writeheader()
        for job in sorted(SWEEP.glob("*/result.json"), key=lambda job: int(job.parent.name.partition("_")[0])):
            config = yaml.safe_load((job.parent / ".hydra" / "config.yaml").read_text())
            chosen = {group: config[group]["name"] for group in ("normalization", "baseline")}
            for seed in json.loads(job.read_text())["seeds"]:
                rows.writerow(seed | chosen)
    copied(SWEEP / "curves.png", ROOT / "docs" / "cartpole_comparison.png")


def values() -> dict[str, str]:
    groups = _read()
    without = groups["none", "none"]
    least = min(sum(map(_is_solved, rows)) for key, rows in groups.items() if key != ("none", "none"))
    return {
        "normalization.table": table(
            ("normalisation", "baseline", "solved", ">episodes until solved", ">final return"),
            [(f"`{key[0]}`", f"`{key[1]}`", *_cells(rows)) for key, rows in groups.items()],
        ),
        "normalization.unsolved": f"{sum(not _is_solved(row) for row in without)} of {len(without)}",
        "normalization.least_solved_of_others": f"{least} of {len(without)}",
    }


def _read() -> dict[tuple[str, str], list[dict[str, str]]]:
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    with FILE.open() as file:
        for row in csv.DictReader(file):
            groups.setdefault((row["normalization"], row["baseline"]), []).append(row)
    return groups


def _is_solved(row: dict[str, Any]) -> bool:
    return row["solved"] == "True"


def _cells(rows: list[dict[str, str]]) -> tuple[str, ...]:
    """Seeds solved, episodes until then, and final return, each with its 95 % interval."""
    is_solved = np.array([_is_solved(row) for row in rows])
    episodes = np.array([float(row["episodes"]) if _is_solved(row) else np.inf for row in rows])
    share, half = fraction([is_solved]), median([episodes])
    final = estimate(interquartile_mean, [np.array([float(row["final_return"]) for row in rows])])
    return (
        f"{is_solved.sum()} of {len(rows)} ({share.low:.2f} to {share.high:.2f})",
        f"{_episodes(half.value)} ({_episodes(half.low)} to {_episodes(half.high)})",
        f"{final.value:.0f} ({final.low:.0f} to {final.high:.0f})",
    )


def _episodes(number: float) -> str:
    return f"{number:.0f}" if number <= LIMIT else f"> {LIMIT}"


ARTEFACT = Artefact(
    "normalization",
    (
        "python -m pg_experiments.train -m normalization=none,returns,advantages baseline=none,value num_seeds=32 "
        "hydra.sweep.dir=multirun/readme",
        "python -m pg_experiments.compare sweep=multirun/readme",
    ),
    keep,
    values,
)
