"""Learning curves of Pong from `metrics.csv`, against agent steps and against wall time.

    python -m docs.plot_pong docs/results/pong.png docs/results/pong docs/results/pong_v5

Takes the picture to write and directories that hold one directory per run, each with its `metrics.csv`. A curve is the
mean of the last 100 training episodes of a seed, shown once there are 100. Against wall time are only those of the
first folder, whose runs had the machine to themselves.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

WINDOW = 100
SCORES = (0, 15, 18)
COLOURS = ("tab:blue", "tab:orange", "tab:green")


def curves(folder: Path, *, timed: bool) -> list[dict[str, np.ndarray]]:
    """Agent steps in millions, the mean return, and minutes, if they mean something: for each seed."""
    found = []
    for file in sorted(folder.glob("*/metrics.csv")):
        rows = [row for row in csv.DictReader(file.open()) if int(row["episodes"]) >= WINDOW]
        columns = {"steps": ("env_steps", 1e6), "score": ("mean_return", 1.0)}
        seeds = sorted({row["seed"] for row in rows})
        if timed:
            columns["minutes"] = ("wall_time_s", 60.0)
        for seed in seeds:
            of_seed = [row for row in rows if row["seed"] == seed]
            found.append({n: np.array([float(row[c]) for row in of_seed]) / unit for n, (c, unit) in columns.items()})
    return found


def passed(of_run: dict[str, np.ndarray], score: float) -> str:
    """When the mean return first reached a score, as a cell of a table."""
    above = np.flatnonzero(of_run["score"] >= score)
    if not len(above):
        return "not yet"
    return _at(of_run, above[0])


def at_the_end(of_run: dict[str, np.ndarray]) -> str:
    """The last mean return, and when it was, as a cell of a table."""
    return f"{of_run['score'][-1]:.1f} after {_at(of_run, -1)}".replace("-", "−")


def _at(of_run: dict[str, np.ndarray], index: int) -> str:
    minutes = f", {of_run['minutes'][index]:.1f} min" if "minutes" in of_run else ""
    return f"{of_run['steps'][index]:.2f} M{minutes}"


def main() -> None:
    picture, *folders = map(Path, sys.argv[1:])
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
    for colour, folder in zip(COLOURS, folders, strict=False):
        for number, of_run in enumerate(curves(folder, timed=folder == folders[0])):
            for panel, axis in zip(panels, ("steps", "minutes"), strict=True):
                if axis in of_run:
                    label = f"env={folder.name}" if number == 0 else None
                    panel.plot(of_run[axis], of_run["score"], color=colour, alpha=0.8, linewidth=1.4, label=label)
    for panel, name in zip(panels, ("agent steps, millions (4 frames each)", "wall time, minutes"), strict=True):
        panel.set_xlabel(name)
        panel.set_xlim(left=0)
        panel.set_yticks([-21, -10, *SCORES])
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("mean of the last 100 games")
    panels[0].legend(loc="lower right")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
