"""Learning curves of Pong from `metrics.csv`, against agent steps and against wall time, and when they passed a score.

    python docs/plot_pong.py docs/results/pong.png docs/results/pong docs/results/pong_v5

Takes the picture to write and directories that hold one directory per run, each with its `metrics.csv`. A curve is the
mean of the last 100 training episodes, shown once there are 100.
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


def curve(file: Path) -> dict[str, np.ndarray]:
    """Agent steps in millions, minutes and the mean return of one run."""
    rows = [row for row in csv.DictReader(file.open()) if int(row["episodes"]) >= WINDOW]
    columns = {"steps": ("env_steps", 1e6), "minutes": ("wall_time_s", 60.0), "score": ("mean_return", 1.0)}
    return {name: np.array([float(row[column]) for row in rows]) / unit for name, (column, unit) in columns.items()}


def passed(of_run: dict[str, np.ndarray], score: float) -> str:
    """When the mean return first reached a score, as a cell of a table."""
    above = np.flatnonzero(of_run["score"] >= score)
    if not len(above):
        return "not yet"
    return f"{of_run['steps'][above[0]]:.2f} M, {of_run['minutes'][above[0]]:.1f} min"


def main() -> None:
    picture, *folders = map(Path, sys.argv[1:])
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
    print(
        f"| run | {' | '.join(f'reached {score}' for score in SCORES)} | at the end |\n|{' --- |' * (len(SCORES) + 2)}"
    )
    for colour, folder in zip(COLOURS, folders, strict=False):
        for number, file in enumerate(sorted(folder.glob("*/metrics.csv"))):
            of_run = curve(file)
            cells = " | ".join(passed(of_run, score) for score in SCORES)
            end = f"{of_run['score'][-1]:.1f} after {of_run['steps'][-1]:.2f} M, {of_run['minutes'][-1]:.1f} min"
            print(f"| {folder.name}, {file.parent.name} | {cells} | {end} |")
            for panel, axis in zip(panels, ("steps", "minutes"), strict=True):
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
