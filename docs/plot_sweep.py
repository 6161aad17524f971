"""Draw a sweep's learning curves: the interquartile mean over seeds, with a 95 % bootstrap interval.

    python docs/plot_sweep.py multirun/DATE/TIME docs/cartpole_comparison.png

Reads each job's `metrics.csv`. A seed that was solved stays at its last value, so that a curve's end is not made of the
slow seeds alone.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.stats import bootstrap, trim_mean

mpl.use("Agg")
import matplotlib.pyplot as plt


def curves(job: Path, episodes: np.ndarray) -> np.ndarray:
    """[seeds, points]: each seed's mean return of the last episodes, after that many episodes."""
    by_seed: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with (job / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            by_seed[row["seed"]].append((float(row["episodes"]), float(row["mean_return"])))
    return np.array([np.interp(episodes, *zip(*points, strict=True)) for points in by_seed.values()])


def interquartile_mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    return np.asarray(trim_mean(values, 0.25, axis=axis))


def main(sweep: Path, picture: Path) -> None:
    """A panel per value of the first key that differs, a curve per value of the others."""
    jobs = sorted(path.parent for path in sweep.glob("*/metrics.csv"))
    names = {job: job.name.split("_", 1)[1].partition(",") for job in jobs}
    panels = list(dict.fromkeys(first for first, _, _ in names.values()))
    figure, row = plt.subplots(1, len(panels), figsize=(5 * len(panels), 4), sharey=True, layout="constrained")
    panel_of = dict(zip(panels, np.atleast_1d(row), strict=True))
    episodes = np.arange(10, 501, 10)
    for job in jobs:
        axes, label = panel_of[names[job][0]], names[job][2]
        returns = curves(job, episodes)
        draw(axes, episodes, returns, label)
    for title, axes in panel_of.items():
        axes.axhline(475, color="grey", linewidth=0.8, linestyle="--")
        axes.annotate("solved at 475", (4, 480), color="grey", fontsize="small")
        axes.set(title=title, xlabel="episodes", xlim=(0, 500), ylim=(0, 520))
        axes.legend(loc="lower right", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"CartPole-v1, REINFORCE: interquartile mean of {len(returns)} seeds, 95 % bootstrap interval")
    figure.supylabel("mean return of the last 25 episodes", fontsize="medium")
    figure.savefig(picture, dpi=110)


def draw(axes: plt.Axes, episodes: np.ndarray, returns: np.ndarray, label: str) -> None:
    """One curve and its interval."""
    rng = np.random.default_rng(0)
    interval = bootstrap(
        (returns,), interquartile_mean, n_resamples=2000, method="percentile", axis=0, rng=rng
    ).confidence_interval
    (line,) = axes.plot(episodes, interquartile_mean(returns), label=label)
    axes.fill_between(episodes, interval.low, interval.high, color=line.get_color(), alpha=0.2, linewidth=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
