"""Breakout from grey screens: how far PPO gets, from the `metrics.csv` of one run."""

from __future__ import annotations

import csv

import matplotlib.pyplot as plt

from docs.remake.artefact import RESULTS, Artefact, table
from docs.remake.marked import ROOT

RUN = ROOT / "outputs" / "ppo_breakout"
FILE, PICTURE = RESULTS / "ppo_breakout.csv", RESULTS / "ppo_breakout.png"
COLUMNS = ("env_steps", "episodes", "mean_return", "wall_time_s")
FRAMES = 4  # of the game in a step
EVERY = 100_000  # steps between the rows of the table
WINDOW = 100  # games


def keep() -> None:
    """The learning curve, and its picture."""
    with (RUN / "metrics.csv").open() as rows, FILE.open("w", newline="") as kept:
        writer = csv.DictWriter(kept, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(csv.DictReader(rows))
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    curve = _curve()
    axes.plot([FRAMES * row["env_steps"] / 1e6 for row in curve], [row["mean_return"] for row in curve])
    axes.set(xlabel="frames of the game (millions)", ylabel=f"points, mean of {WINDOW} games", xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def values() -> dict[str, str]:
    """A row of the table for every 100,000 steps, and the last one."""
    curve = _curve()
    last = curve[-1]
    ends = range(EVERY, int(last["env_steps"]), EVERY)
    shown = [next(row for row in curve if row["env_steps"] >= end) for end in ends] + [last]
    rows = [
        (
            f"{row['env_steps'] / 1e6:.2f} M",
            f"{FRAMES * row['env_steps'] / 1e6:.1f} M",
            f"{row['mean_return']:.1f}",
        )
        for row in shown
    ]
    return {
        "ppo_breakout.table": table((">steps", ">frames", f">points, mean of {WINDOW} games"), rows),
        "ppo_breakout.steps": f"{last['env_steps'] / 1e6:.2f}",
        "ppo_breakout.hours": f"{last['wall_time_s'] / 3600:.1f}",
    }


def _curve() -> list[dict[str, float]]:
    """The rows with a full window."""
    with FILE.open() as rows:
        found = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]
    return [row for row in found if row["episodes"] >= WINDOW]


ARTEFACT = Artefact(
    "ppo_breakout",
    ("python -m pg_experiments.train experiment=ppo_breakout hydra.run.dir=outputs/ppo_breakout",),
    keep,
    values,
)
