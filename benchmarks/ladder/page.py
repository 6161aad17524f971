"""Writes docs/ladder.md and its figures from measurements."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest

from benchmarks.common import machine
from benchmarks.ladder.measure import POINTS, Result
from benchmarks.ladder.rungs import FINDINGS, STALE_FINDING, Ladder
from pg_experiments.comparison.statistics import estimate, interquartile_mean

INTRODUCTION = """# From REINFORCE to PPO

Eight algorithms from the whole return of a trajectory to PPO. Each changes one choice of the one before it and keeps
the others, unless its command says otherwise. All are trained on the same environment, so the table shows the effect of
each change. The learning rate of each is the best of {rates}, chosen with 8 seeds that are not
shown. The results are those of 16 other seeds. This page and its figure are written by

<!-- not run: trains for hours -->
```
python -m benchmarks.ladder
```
"""


def write(ladder: Ladder, rungs: Mapping[str, list[Result]], stale: Mapping[int, list[Result]], folder: Path) -> None:
    """Writes the page and the figures of a ladder into `folder`."""
    _figure(ladder, rungs, _limit(ladder), folder / f"ladder_{ladder.name}.png")
    (folder / "ladder.md").write_text(page(ladder, rungs, stale, machine()))


def page(ladder: Ladder, rungs: Mapping[str, list[Result]], stale: Mapping[int, list[Result]], measured_on: str) -> str:
    """The text of the page. `measured_on` is the machine."""
    limit = _limit(ladder)
    lines = [INTRODUCTION.format(rates=", ".join(map(str, ladder.learning_rates)))]
    lines += [
        f"## CartPole, {limit:,} steps\n",
        f"![Learning curves of the eight algorithms](ladder_{ladder.name}.png)\n",
    ]
    lines += _table(rungs, ladder, limit)
    lines += [""]
    lines += [
        "Solved: seeds whose mean return of 25 episodes reached 475 within the limit, with a 95 % Wilson interval. "
        "Steps to 475: median over seeds with a 95 % bootstrap interval; a seed that does not get there counts as the "
        "limit. "
        "Mean return: of the last 25 episodes, interquartile mean over seeds with a 95 % bootstrap interval; a solved "
        f"seed stops. {measured_on}, the seconds beside other work.\n",
        "What this shows:\n",
        *FINDINGS,
        "",
    ]
    for number, rung in enumerate(ladder.rungs, 1):
        command = " ".join((f"experiment={ladder.experiment}", *rung.overrides, "num_seeds=16"))
        rate = rungs[rung.name][0].learning_rate
        lines += [f"### {number}. {rung.title}\n", f"{rung.words}\n"]
        lines += [f"```\npython -m pg_experiments.train {command} optimizer.learning_rate={rate}\n```\n"]
    lines += _staleness(stale, limit)
    return "\n".join(map(_wrapped, lines))


def _wrapped(line: str) -> str:
    """The line in lines of 120 characters, if it is text."""
    is_text = not line.startswith(("#", "|", "!", "`", "\n"))
    if not is_text or "\n```" in line:
        return line
    kept = "\n" * line.endswith("\n")
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line.strip(), 120, subsequent_indent=indent, break_long_words=False) + kept


def _limit(ladder: Ladder) -> int:
    from benchmarks.common import checked

    limit = checked(f"experiment={ladder.experiment}").env.max_steps
    assert limit is not None
    return limit


def _table(rungs: Mapping[str, list[Result]], ladder: Ladder, limit: int) -> list[str]:
    lines = [
        "| | algorithm | learning rate | solved | steps to 475 | mean return | seconds |",
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


def _staleness(stale: Mapping[int, list[Result]], limit: int) -> list[str]:
    results = next(iter(stale.values()))
    lines = [
        "## The price of staleness (A3C)\n",
        "A3C's workers are not synchronised, so the gradient that is applied was computed with parameters that are "
        "some updates old. Here 8 workers apply theirs one after another, in a fixed order (`algorithm=a3c`, "
        "`algorithm.workers=8`): the k-th is `staleness` + k updates old, k from 0. With 8 workers that are not "
        "synchronised, as in Mnih et al. (2016), it is 7 on average. The settings are those of number 7, with the "
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


def _figure(ladder: Ladder, rungs: Mapping[str, list[Result]], limit: int, file: Path) -> None:
    """Learning curves, and the steps to the threshold of each seed."""
    figure, (curves, dots) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained", width_ratios=(5, 4))
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
    curves.set(xlabel="environment steps (thousands)", ylabel="mean return, mean over 16 seeds", ylim=(0, 510))
    dots.set(xlabel=f"steps until {ladder.threshold:.0f} (thousands), one dot per seed", xlim=(0, limit / 1000))
    dots.set_yticks(range(1, len(ladder.rungs) + 1), [f"{n}. {rung.title}" for n, rung in enumerate(ladder.rungs, 1)])
    for label, colour in zip(dots.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
        label.set_fontweight("bold")
    dots.invert_yaxis()
    for axes in (curves, dots):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)
    plt.close(figure)
