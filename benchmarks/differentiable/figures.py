"""Draws the figures of docs/differentiable.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from benchmarks.differentiable.jumps import Jump
from benchmarks.differentiable.settings import TITLES
from benchmarks.differentiable.solving import Learned, Results, steps
from benchmarks.differentiable.springs import MASSES, levels
from benchmarks.differentiable.swing_ups import ENVIRONMENTS, LEVELS
from benchmarks.differentiable.variance import Variance

PATHWISE, SCORE, MIXED, EXACT = "tab:blue", "tab:orange", "tab:green", "black"
COLOURS = {"pathwise": PATHWISE, "ppo": "tab:purple", "reinforce": SCORE}
FEWEST = 300  # environment steps at the left end of the swing-ups' axes


def draw_jumps(jumps: Sequence[Jump], file: Path) -> None:
    """Expected reward above, its derivative by the mean action below, of both problems."""
    drawn, axes = plt.subplots(2, 2, figsize=(11, 6.4), layout="constrained", sharex="col", height_ratios=(2, 3))
    texts = {"heaviside": ("a step at 1, σ = 0.5", 1.0), "ball_wall": ("a wall, σ = 0.1", 180 / np.pi)}
    for (above, below), (name, (title, scale)) in zip(axes.T, texts.items(), strict=True):
        rows = [jump for jump in jumps if jump.problem == name]
        means = np.array([row.mean for row in rows]) * scale
        above.plot(means, [row.expected for row in rows], color=EXACT)
        above.set(title=title, ylabel="expected reward" if name == "heaviside" else "expected distance (m)")
        below.plot(means, [row.exact for row in rows], color=EXACT, label="exact")
        for kind, colour, label in (("score", SCORE, "score function"), ("pathwise", PATHWISE, "pathwise")):
            values = np.array([getattr(row, kind) for row in rows])
            errors = 2 * np.array([getattr(row, f"{kind}_error") for row in rows])
            below.fill_between(means, values - errors, values + errors, color=colour, alpha=0.3, linewidth=0)
            below.plot(means, values, ".", color=colour, label=label, markersize=5)
        below.plot(means, [row.mixed for row in rows], "x", color=MIXED, label="mixed", markersize=4)
        below.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        below.set(ylabel="derivative by μ", xlabel="mean action μ" if name == "heaviside" else "mean angle (degrees)")
    axes[1, 0].legend(frameon=False)
    _save(drawn, axes.ravel(), file)


def draw_variance(variances: Sequence[Variance], file: Path) -> None:
    """The variance of both gradients against horizon and stiffness; dots are policies, lines their medians."""
    drawn, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    labels = {"horizon": "horizon (steps of 0.025 s)", "stiffness": "stiffness k (N/m)"}
    for each, (problem, label) in zip(axes, labels.items(), strict=True):
        rows = [row for row in variances if row.problem == problem]
        values = sorted({row.value for row in rows})
        for kind, colour, name in (("score", SCORE, "score function"), ("pathwise", PATHWISE, "pathwise")):
            of = {value: [getattr(row, kind) for row in rows if row.value == value] for value in values}
            each.plot(values, [np.median(of[value]) for value in values], color=colour, label=name)
            for value, numbers in of.items():
                each.plot([value] * len(numbers), numbers, ".", color=colour, alpha=0.4, markersize=4)
        each.set(xlabel=label, yscale="log", xscale="log" if problem == "stiffness" else "linear")
    axes[0].set(title="double pendulum", ylabel="variance of one episode's gradient (trace)")
    axes[1].set(title="pushing")
    axes[0].legend(frameon=False)
    _save(drawn, axes, file)


def draw_swing_ups(found: Results, file: Path) -> None:
    """The returns of tests over environment steps. A seed that reached the highest level keeps its last return."""
    drawn, axes = plt.subplots(1, len(ENVIRONMENTS), figsize=(11, 4.6), layout="constrained")
    titles = {"pendulum": ("pendulum", 200), "cartpole": ("cart-pole", 150)}
    for each, environment in zip(axes, ENVIRONMENTS, strict=True):
        title, most = titles[environment]
        for name, label in TITLES.items():
            _draw_learning(each, found[name, environment], COLOURS[name], label)
        for level in LEVELS[environment]:
            each.axhline(level, color=EXACT, linewidth=0.8, linestyle="--", zorder=0)
        each.set(title=f"{title} (at most {most})", xlabel="environment steps", xscale="log", ylim=(0, most))
        each.set_xlim(left=FEWEST)
    axes[0].set(ylabel="mean return of 32 tests")
    drawn.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    _save(drawn, axes, file)


def draw_springs(found: Results, file: Path) -> None:
    """Left: the returns of tests of the largest chain. Right: steps to the threshold over the number of masses."""
    drawn, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    most = MASSES[-1]
    for name, title in TITLES.items():
        _draw_learning(left, found[name, str(most)], COLOURS[name], title)
        _draw_steps(right, found, name)
    idle, optimum, threshold = *levels(most), levels(most).threshold
    for label, level, style in (("optimum", optimum, "-"), ("threshold", threshold, "--"), ("no actions", idle, ":")):
        left.axhline(level, color=EXACT, linewidth=0.8, linestyle=style, zorder=0, label=label)
    left.set(title=f"{most} masses", xlabel="environment steps", xscale="log", ylim=(1.5 * idle, 0.0))
    left.set(ylabel="mean return of 32 tests")
    right.set(title="steps to the threshold (triangles: not reached)", xlabel="masses", xscale="log", yscale="log")
    right.set_xticks(MASSES, [str(masses) for masses in MASSES])
    right.minorticks_off()
    drawn.legend(*left.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=6)
    _save(drawn, (left, right), file)


def _draw_learning(axes: Axes, learned: Sequence[Learned], colour: str, title: str) -> None:
    """Seeds, and their median. A seed that is solved keeps its last return."""
    for one in learned:
        axes.plot(one.steps, one.returns, color=colour, alpha=0.2, linewidth=0.8)
        axes.plot(one.steps[-1], one.returns[-1], ".", color=colour, alpha=0.4)
    grid = np.geomspace(learned[0].steps[0], max(one.steps[-1] for one in learned), 100)
    medians = np.median([np.interp(grid, one.steps, one.returns) for one in learned], 0)
    axes.plot(grid, medians, color=colour, label=title, linewidth=2)


def _draw_steps(axes: Axes, found: Results, name: str) -> None:
    """Seeds, and their median as far as it is finite."""
    medians = []
    for masses in MASSES:
        learned, threshold = found[name, str(masses)], levels(masses).threshold
        for one in learned:
            mark = "." if np.isfinite(one.steps_to(threshold)) else "^"
            axes.plot(masses, one.steps[-1], mark, color=COLOURS[name], alpha=0.4, markersize=5)
        medians.append(np.median(steps(learned, threshold)))
    axes.plot(MASSES, medians, color=COLOURS[name], linewidth=2)


def _save(drawn: plt.Figure, axes: Sequence[Axes], file: Path) -> None:
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    drawn.savefig(file, dpi=110)
    plt.close(drawn)
