"""Draws learning curves of all tricks on an environment, and the mean return of each over the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from benchmarks.ladder.measure import POINTS, Result
from benchmarks.ladder.page import limit_of
from benchmarks.ladder.rungs import Ladder
from pg_experiments.comparison.statistics import Estimate, estimate

DOCS = Path(__file__).parents[2] / "docs"
Found = Mapping[str, list[Result]]  # by the rung's name


def measured_file(environment: Ladder) -> Path:
    """The CSV file of an environment's measurements."""
    return DOCS / "results" / f"tricks_{environment.name}.csv"


def over_the_run(results: list[Result]) -> np.ndarray:
    """[seeds]: the mean return over the run, which is larger the faster a seed learns and the better it becomes."""
    means: np.ndarray = np.nanmean([result.curve for result in results], 1)
    return means


def mean_over_the_run(results: list[Result]) -> Estimate:
    """The mean over seeds of `over_the_run`, with its interval."""
    return estimate(np.mean, [over_the_run(results)])


def figure(environment: Ladder, found: Found, file: Path) -> None:
    """Draws both panels, the setting without any trick in black."""
    limit = limit_of(environment)
    drawn, (curves, means) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained", width_ratios=(5, 4))
    colours = ["black", *plt.get_cmap("tab10")(np.arange(len(environment.rungs) - 1) % 10)]
    steps = np.linspace(limit / POINTS, limit, POINTS) / 1000
    for place, (rung, colour) in enumerate(zip(environment.rungs, colours, strict=True)):
        results = found[rung.name]
        curves.plot(steps, np.nanmean([r.curve for r in results], 0), color=colour, linewidth=1 + (place == 0))
        mean = mean_over_the_run(results)
        means.plot(over_the_run(results), np.full(len(results), place + 0.25), ".", color=colour, alpha=0.35)
        means.errorbar(
            mean.value,
            place,
            xerr=[[mean.value - mean.low], [mean.high - mean.value]],
            fmt="o",
            color=colour,
            capsize=3,
        )
    means.axvline(mean_over_the_run(found[environment.rungs[0].name]).value, color="0.7", linewidth=0.8, zorder=0)
    curves.set(
        xlabel="environment steps (thousands)",
        ylabel=f"mean return, mean over {len(environment.shown_seeds)} seeds",
        ylim=environment.returns,
    )
    means.set(xlabel="mean return over the run (95 % interval; dots are seeds)")
    means.set_yticks(range(len(environment.rungs)), [rung.title for rung in environment.rungs])
    for label, colour in zip(means.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
    means.xaxis.set_major_locator(MaxNLocator(6))
    means.invert_yaxis()
    for axes in (curves, means):
        axes.spines[["top", "right"]].set_visible(False)
    drawn.savefig(file, dpi=110)
    plt.close(drawn)
