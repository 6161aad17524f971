"""The three pictures: learning curves, performance profiles, and who reached the threshold when.

Of many groups ten are drawn in colour, the reference and those of the highest final value; the others are grey.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pg_experiments.comparison.outcomes import Outcome
from pg_experiments.comparison.statistics import band, interquartile_mean
from pg_experiments.comparison.summary import Summary

MOST_COLOURS = 10
POINTS = 101
GREY = "0.75"


def pictures(summary: Summary) -> dict[str, bytes]:
    """Each picture as a PNG, by the name of its file."""
    with plt.rc_context(
        {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10, "axes.grid": True, "grid.alpha": 0.25}
    ):
        drawn = {
            "curves.png": _curves(summary),
            "performance_profile.png": _profile(summary),
            "to_threshold.png": _to_threshold(summary),
        }
        return {name: _png(figure) for name, figure in drawn.items()}


def coloured(summary: Summary) -> list[int]:
    """The groups that are drawn in colour, by index."""
    finals = [row.finals[summary.metrics[0]].value for row in summary.rows]
    best_first = sorted(range(len(finals)), key=lambda index: (index != summary.reference, -finals[index]))
    return sorted(best_first[:MOST_COLOURS])


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)
    return out.getvalue()


def _curves(summary: Summary) -> Figure:
    figure, panels = _panels(summary, len(summary.metrics))
    for panel, metric in zip(panels, summary.metrics, strict=True):
        for draw, strata in _in_drawing_order(summary):
            steps, samples = _sampled(strata, metric)
            draw(panel, steps, samples, interquartile_mean)
        _steps_axis(panel, summary)
        panel.set_ylabel(_axis_name(metric))
    panels[0].set_title("Interquartile mean over seeds and 95 % interval", fontsize="medium", loc="left")
    _legend(figure, panels[0])
    return figure


def _profile(summary: Summary) -> Figure:
    metric = summary.metrics[0]
    figure, (panel,) = _panels(summary, 1)
    finals = np.array(
        [o.finals[metric] for _, strata in summary.outcomes.groups for seeds in strata.values() for o in seeds]
    )
    room = 0.03 * (np.ptp(finals) or 1.0)
    levels = np.linspace(finals.min() - room, finals.max() + room, POINTS)
    for draw, strata in _in_drawing_order(summary):
        samples = [np.array([o.finals[metric] for o in seeds])[None] > levels[:, None] for seeds in strata]
        draw(panel, levels, [sample.astype(float) for sample in samples], np.mean)
    panel.set(xlabel=f"final {_axis_name(metric)}", ylabel="fraction of seeds above it", ylim=(-0.02, 1.02))
    panel.set_title("Performance profile and 95 % interval: higher is better", fontsize="medium", loc="left")
    _legend(figure, panel)
    return figure


def _to_threshold(summary: Summary) -> Figure:
    figure, (panel,) = _panels(summary, 1)
    ends = [o.seed.env_steps[-1] for _, strata in summary.outcomes.groups for seeds in strata.values() for o in seeds]
    steps = np.linspace(0, summary.outcomes.common_steps or max(ends), POINTS)
    for draw, strata in _in_drawing_order(summary):
        samples = [np.array([o.steps for o in seeds])[None] <= steps[:, None] for seeds in strata]
        draw(panel, steps, [sample.astype(float) for sample in samples], np.mean)
    _steps_axis(panel, summary)
    goal = "their threshold" if summary.threshold is None else f"{summary.threshold:g} of {summary.metrics[0]}"
    panel.set(ylabel="fraction of seeds", ylim=(-0.02, 1.02))
    panel.set_title(f"Seeds that have reached {goal}, and 95 % interval", fontsize="medium", loc="left")
    if not any(math.isfinite(row.steps.value) or row.solved.value for row in summary.rows):
        panel.text(0.5, 0.5, "no seed has reached it", transform=panel.transAxes, ha="center", color="0.4")
    _legend(figure, panel)
    return figure


Strata = Sequence[tuple[Outcome, ...]]
Draw = Callable[[Axes, np.ndarray, Sequence[np.ndarray], Callable[..., object]], None]


def _in_drawing_order(summary: Summary) -> list[tuple[Draw, Strata]]:
    """Each group with what draws it: the grey ones first, so that they lie below the others."""
    colours = {index: f"C{place}" for place, index in enumerate(coloured(summary))}
    groups = [(index, list(strata.values())) for index, (_, strata) in enumerate(summary.outcomes.groups)]
    grey = [(_line, strata) for index, strata in groups if index not in colours]
    labels = {index: textwrap.fill(summary.rows[index].group.label, 60) for index in colours}
    if grey:
        labels[summary.reference] += " (reference)"
    return [*grey, *((_with_band(colours[index], labels[index]), s) for index, s in groups if index in colours)]


def _line(panel: Axes, x: np.ndarray, samples: Sequence[np.ndarray], statistic: Callable[..., object]) -> None:
    pooled = np.concatenate(samples, axis=-1)
    panel.plot(x, np.asarray(statistic(pooled, axis=-1)), color=GREY, linewidth=0.7, label="the others")


def _with_band(colour: str, label: str) -> Draw:
    def draw(panel: Axes, x: np.ndarray, samples: Sequence[np.ndarray], statistic: Callable[..., object]) -> None:
        value, low, high = band(statistic, samples)
        panel.plot(x, value, color=colour, linewidth=1.6, label=label)
        panel.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)

    return draw


def _sampled(strata: Strata, metric: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Steps [P] and for each stratum [P, seeds]: the last value until then, from where every seed has one."""
    seeds = [outcome.seed for stratum in strata for outcome in stratum]
    there = [np.isfinite(seed.values[metric]) for seed in seeds]
    start = max(seed.env_steps[known][0] for seed, known in zip(seeds, there, strict=True))
    steps = np.linspace(start, max(seed.env_steps[-1] for seed in seeds), POINTS)
    values = []
    for seed, known in zip(seeds, there, strict=True):
        last = np.searchsorted(seed.env_steps[known], steps, side="right") - 1
        values.append(seed.values[metric][known][last])
    ends = np.cumsum([len(stratum) for stratum in strata])[:-1]
    return steps, np.split(np.array(values).T, ends, axis=1)


def _panels(summary: Summary, count: int) -> tuple[Figure, Sequence[Axes]]:
    """Panels below each other, with room for a legend under them."""
    entries = min(len(summary.rows), MOST_COLOURS + 1)
    columns = _legend_columns(summary)
    height = 3.4 * count + 0.5 + 0.22 * math.ceil(entries / columns)
    figure, panels = plt.subplots(count, 1, figsize=(7.5, height), layout="constrained", squeeze=False)
    return figure, list(panels[:, 0])


def _legend_columns(summary: Summary) -> int:
    longest = max(len(summary.rows[index].group.label) for index in coloured(summary))
    return 3 if longest <= 24 else 2 if longest <= 44 else 1


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    if (others := by_label.pop("the others", None)) is not None:
        by_label["the others"] = others
    longest = max(len(line) for label in labels for line in label.split("\n"))
    columns = 3 if longest <= 24 else 2 if longest <= 44 else 1
    figure.legend(
        by_label.values(), by_label.keys(), loc="outside lower center", ncols=columns, frameon=False, fontsize="small"
    )


def _steps_axis(panel: Axes, summary: Summary) -> None:
    panel.set_xlabel("environment steps of a seed")
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.set_xlim(left=0)
    if summary.outcomes.common_steps is not None:
        panel.axvline(summary.outcomes.common_steps, color="0.4", linewidth=0.8, linestyle=":")


def _axis_name(metric: str) -> str:
    return metric.replace("_", " ")
