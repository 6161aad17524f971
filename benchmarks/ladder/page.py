"""Writes docs/ladder.md and its figures from measurements."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest

from benchmarks.common import checked
from benchmarks.ladder.cartpole import STALE_FINDING
from benchmarks.ladder.measure import POINTS, Result
from benchmarks.ladder.rungs import Ladder
from pg_experiments.comparison.statistics import estimate, interquartile_mean

INTRODUCTION = """# From REINFORCE to PPO

Two ladders from the whole return of a trajectory to PPO. Each number changes one choice of the one before it and keeps
the others, unless its command says otherwise. All numbers of a ladder are trained on the same environment, so its table
shows the effect of each change. This page and its figures are written by

<!-- not run: trains for hours -->
```
python -m benchmarks.ladder
```
"""
Rungs = Mapping[str, list[Result]]  # the results that are shown, by the rung's name


def page(ladders: Sequence[tuple[Ladder, Rungs]], stale: Mapping[int, list[Result]], measured_on: str) -> str:
    """The text of the page.

    Args:
        ladders: each ladder with its results.
        stale: the results of A3C on the first ladder's environment, by the age of its gradients.
        measured_on: the machine.
    """
    lines = [INTRODUCTION]
    for ladder, rungs in ladders:
        lines += _section(ladder, rungs, measured_on)
    first, _ = ladders[0]
    return "\n".join(map(_wrapped, [*lines, *_staleness(stale, first)]))


def _section(ladder: Ladder, rungs: Rungs, measured_on: str) -> list[str]:
    """The lines about one ladder."""
    limit = limit_of(ladder)
    lines = [
        f"## {ladder.title}, {limit:,} steps\n",
        f"{ladder.introduction}\n",
        f"![Learning curves of the {len(ladder.rungs)} algorithms](ladder_{ladder.name}.png)\n",
        *_table(rungs, ladder, limit),
        "",
        f"Solved: seeds whose mean return of {ladder.window} episodes reached {ladder.threshold:.0f} within the limit, "
        f"with a 95 % Wilson interval. Steps to {ladder.threshold:.0f}: median over seeds with a 95 % bootstrap "
        "interval; a seed that does not get there counts as the limit. "
        f"Mean return: of the last {ladder.window} episodes, interquartile mean over seeds with a 95 % bootstrap "
        f"interval; a solved seed stops. {measured_on}, the seconds beside other work.\n",
        "What this shows:\n",
        *ladder.findings,
        "",
    ]
    for number, rung in enumerate(ladder.rungs, 1):
        seeds = f"num_seeds={len(ladder.shown_seeds)}"
        command = " ".join((*ladder.settings, *rung.overrides, seeds))
        rate = rungs[rung.name][0].learning_rate
        lines += [f"### {number}. {rung.title}\n", f"{rung.words}\n"]
        lines += [f"```\npython -m pg_experiments.train {command} optimizer.learning_rate={rate}\n```\n"]
    return lines


def _wrapped(line: str) -> str:
    """The line in lines of 120 characters, if it is text."""
    is_text = not line.startswith(("#", "|", "!", "`", "\n"))
    if not is_text or "\n```" in line:
        return line
    kept = "\n" * line.endswith("\n")
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line.strip(), 120, subsequent_indent=indent, break_long_words=False) + kept


def limit_of(ladder: Ladder) -> int:
    """Environment steps of each seed."""
    limit = checked(*ladder.settings).env.max_steps
    assert limit is not None
    return limit


def _table(rungs: Rungs, ladder: Ladder, limit: int) -> list[str]:
    lines = [
        f"| | algorithm | learning rate | solved | steps to {ladder.threshold:.0f} | mean return | seconds |",
        "| ---: | --- | ---: | --- | --- | --- | ---: |",
    ]
    for number, rung in enumerate(ladder.rungs, 1):
        results = rungs[rung.name]
        cells = [str(number), rung.title, str(results[0].learning_rate), *_cells(results, limit)]
        lines.append(f"| {' | '.join(cells)} | {results[0].seconds:.0f} |")
    return lines


def _cells(results: Sequence[Result], limit: int) -> list[str]:
    """Share solved, steps to the threshold and final return, each with its interval."""
    solved = sum(not np.isnan(result.solved_after) for result in results)
    interval = binomtest(solved, len(results)).proportion_ci(method="wilson")
    steps = np.array([limit if np.isnan(r.solved_after) else r.solved_after for r in results])
    median = estimate(np.median, [steps])
    final = estimate(interquartile_mean, [np.array([result.final_return for result in results])])
    return [
        f"{solved} of {len(results)} ({interval.low:.2f} to {interval.high:.2f})",
        " ".join((_steps(median.value, limit), f"({_steps(median.low, limit)} to {_steps(median.high, limit)})")),
        f"{final.value:.0f} ({final.low:.0f} to {final.high:.0f})",
    ]


def _steps(value: float, limit: int) -> str:
    return f"> {limit / 1000:.0f} k" if value >= limit else f"{value / 1000:.1f} k"


def _staleness(stale: Mapping[int, list[Result]], ladder: Ladder) -> list[str]:
    results, limit = next(iter(stale.values())), limit_of(ladder)
    lines = [
        f"## The price of staleness (A3C on {ladder.title})\n",
        "A3C's workers are not synchronised, so the gradient that is applied was computed with parameters that are "
        "some updates old. Here 8 workers apply theirs one after another, in a fixed order (`algorithm=a3c`, "
        "`algorithm.workers=8`): the k-th is `staleness` + k updates old, k from 0. With 8 workers that are not "
        "synchronised, as in Mnih et al. (2016), it is 7 on average. The settings are those of "
        "number 7 on CartPole, with the "
        f"learning rate {results[0].learning_rate}, as there are eight gradient steps where A2C has one; 16 seeds.\n",
        "| staleness of the first worker | solved | steps to 475 | mean return |",
        "| ---: | --- | --- | --- |",
    ]
    return [
        *lines,
        *(f"| {age} | {' | '.join(_cells(results, limit))} |" for age, results in stale.items()),
        "",
        STALE_FINDING,
        "",
    ]


def figure(ladder: Ladder, rungs: Rungs, file: Path) -> None:
    """Draws learning curves, and the steps to the threshold of each seed."""
    limit = limit_of(ladder)
    drawn, (curves, dots) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained", width_ratios=(5, 4))
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(ladder.rungs)))
    steps = np.linspace(limit / POINTS, limit, POINTS) / 1000
    for number, (rung, colour) in enumerate(zip(ladder.rungs, colours, strict=True), 1):
        results = rungs[rung.name]
        values = np.array([result.curve for result in results])
        curves.plot(steps, np.nanmean(values, 0), color=colour)
        reached = [r.solved_after / 1000 if not np.isnan(r.solved_after) else np.nan for r in results]
        jitter = np.linspace(-0.25, 0.25, len(reached))
        dots.plot(reached, number + jitter, ".", color=colour, markersize=7)
        unsolved = int(np.isnan(reached).sum())
        if unsolved:
            dots.text(limit / 1000 * 1.02, number, f"{unsolved} never", va="center", fontsize=8, color="0.35")
    curves.axhline(ladder.threshold, color="0.7", linewidth=0.8)
    curves.set(
        xlabel="environment steps (thousands)",
        ylabel=f"mean return, mean over {len(ladder.shown_seeds)} seeds",
        ylim=ladder.returns,
    )
    dots.set(xlabel=f"steps until {ladder.threshold:.0f} (thousands), one dot per seed", xlim=(0, limit / 1000))
    dots.set_yticks(range(1, len(ladder.rungs) + 1), [f"{n}. {rung.title}" for n, rung in enumerate(ladder.rungs, 1)])
    for label, colour in zip(dots.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
        label.set_fontweight("bold")
    dots.invert_yaxis()
    for axes in (curves, dots):
        axes.spines[["top", "right"]].set_visible(False)
    drawn.savefig(file, dpi=110)
    plt.close(drawn)
