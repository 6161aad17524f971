"""Figures of a comparison: learning curves, performance profiles, and the fraction of seeds at the threshold over time.

With more than ten groups, six are drawn in colour: the reference, and the best by the leading measure.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pg_experiments.comparison.measures import final_measure, of_seeds, threshold_name
from pg_experiments.comparison.outcomes import Outcome, Strata
from pg_experiments.comparison.statistics import band, interquartile_mean
from pg_experiments.comparison.summary import Summary

MOST_IN_COLOUR = 10  # groups that are all drawn in colour
OF_MANY = 6  # groups in colour where there are more
MOST_BANDS = 6  # curves with bands; more bands would hide curves
MOST_BANDS_OF_STEPS = 4  # likewise of step functions
POINTS = 201  # on the x axis
GREY = "0.85"
WRAP = 80  # characters of a line of the legend
STYLE: dict[Any, Any] = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
STYLE["text.parse_math"] = False  # a value may contain dollar signs


def figures(summary: Summary) -> dict[str, Figure]:
    """The figures by name. They belong to no window and to no notebook until they are shown."""
    with mpl.rc_context(STYLE):
        return {
            "curves": _curves(summary),
            "to_threshold": _to_threshold(summary),
            "performance_profile": _profile(summary),
        }


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    out = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="png", dpi=140)
    return out.getvalue()


def in_colour(summary: Summary) -> list[int]:
    """The indices of the groups that are drawn in colour."""
    best_first = sorted(summary.order, key=lambda index: index != summary.reference)
    count = len(best_first)
    return sorted(best_first[: count if count <= MOST_IN_COLOUR else OF_MANY])


def _curves(summary: Summary) -> Figure:
    figure, panels = _panels(summary, len(summary.metrics))
    for panel, metric in zip(panels, summary.metrics, strict=True):
        for curve in _curves_of(summary):
            steps, samples = _sampled(curve.strata, metric)
            curve.draw(panel, steps, samples, interquartile_mean)
        _steps_axis(panel, summary)
        panel.set_ylabel(_axis_name(metric))
    _finish(figure, panels[0], summary, "Interquartile mean over seeds")
    return figure


def _profile(summary: Summary) -> Figure:
    metric = summary.metrics[0]
    figure, (panel,) = _panels(summary, 1)
    finals = [outcome.finals[metric] for outcome in _every_seed(summary)]
    room = 0.03 * (np.ptp(finals) or 1.0)
    levels = np.linspace(min(finals) - room, max(finals) + room, POINTS)
    for curve in _curves_of(summary, steps=True):
        above = [(values > levels[:, None]).astype(float) for values in final_measure(metric).values(curve.strata)]
        curve.draw(panel, levels, above, np.mean)
    panel.set(xlabel=f"final {_axis_name(metric)}", ylabel="fraction of seeds above it", ylim=(-0.02, 1.02))
    _finish(figure, panel, summary, "Performance profile: higher is better", steps=True)
    return figure


def _to_threshold(summary: Summary) -> Figure:
    figure, (panel,) = _panels(summary, 1)
    end = summary.outcomes.common_steps or max(outcome.seed.env_steps[-1] for outcome in _every_seed(summary))
    steps = np.linspace(0, end, POINTS)
    for curve in _curves_of(summary, steps=True):
        until = of_seeds(curve.strata, lambda outcome: outcome.steps)
        reached = [(values <= steps[:, None]).astype(float) for values in until]
        curve.draw(panel, steps, reached, np.mean)
    _steps_axis(panel, summary)
    panel.set(ylabel="fraction of seeds", ylim=(-0.02, 1.02))
    if not any(row.solved.value for row in summary.rows):
        panel.text(0.5, 0.5, "no seed has reached it", transform=panel.transAxes, ha="center", color="0.4")
    _finish(
        figure,
        panel,
        summary,
        f"Seeds that have reached {threshold_name(summary.outcomes, summary.threshold)}",
        steps=True,
    )
    return figure


class _Curve:
    """The curve of one group."""

    def __init__(self, strata: Strata, label: str, colour: str | None, *, banded: bool, steps: bool) -> None:
        self.strata = strata
        self.label = label
        self.colour = colour  # None: grey
        self.banded = banded
        self.steps = steps  # whether it is a step function

    def draw(self, panel: Axes, x: np.ndarray, samples: Sequence[np.ndarray], statistic: Callable[..., Any]) -> None:
        """Draw a statistic of samples, [P, seeds] for each stratum, at x [P]."""
        style = "steps-post" if self.steps else "default"
        if self.colour is None:
            value = statistic(np.concatenate(samples, axis=-1), axis=-1)
            panel.plot(x, value, color=GREY, linewidth=0.5, label=self.label, drawstyle=style)
            return
        if self.banded:
            low, high = band(statistic, samples)
            shape: dict[str, Any] = {"step": "post"} if self.steps else {}
            panel.fill_between(x, low, high, color=self.colour, alpha=0.15, linewidth=0, **shape)
        value = statistic(np.concatenate(samples, axis=-1), axis=-1)
        panel.plot(x, value, color=self.colour, linewidth=1.6, label=self.label, drawstyle=style)


def _curves_of(summary: Summary, *, steps: bool = False) -> list[_Curve]:
    """One curve for each group. Grey curves come first, so that they are drawn below the others."""
    chosen = in_colour(summary)
    others = f"{len(summary.rows) - len(chosen)} others"
    curves = []
    for index, (_, strata) in enumerate(summary.outcomes.groups):
        colour = f"C{chosen.index(index)}" if index in chosen else None
        label = textwrap.fill(summary.rows[index].group.label, WRAP) if colour else others
        curves.append(_Curve(strata, label, colour, banded=_banded(summary, steps), steps=steps))
    return sorted(curves, key=lambda curve: curve.colour is not None)


def _every_seed(summary: Summary) -> Iterator[Outcome]:
    for _, strata in summary.outcomes.groups:
        for seeds in strata.values():
            yield from seeds


def _sampled(strata: Strata, metric: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sample the curves of all seeds at common steps, starting where every seed has a value.

    Returns:
        Steps [P], and for each stratum the last value at or before each step, [P, seeds].
    """
    known = {
        name: [(outcome.seed, np.isfinite(outcome.seed.values[metric])) for outcome in seeds]
        for name, seeds in strata.items()
    }
    every = [pair for pairs in known.values() for pair in pairs]
    start = max(seed.env_steps[there][0] for seed, there in every)
    steps = np.linspace(start, max(seed.env_steps[-1] for seed, _ in every), POINTS)
    samples = []
    for pairs in known.values():
        rows = [np.searchsorted(seed.env_steps[there], steps, side="right") - 1 for seed, there in pairs]
        values = [seed.values[metric][there][last] for (seed, there), last in zip(pairs, rows, strict=True)]
        samples.append(np.array(values).T)
    return steps, samples


def _panels(summary: Summary, count: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure of vertically stacked panels with room for a legend below."""
    chosen = in_colour(summary)
    lines = sum(math.ceil(len(summary.rows[index].group.label) / WRAP) for index in chosen) + 1
    height = 3.4 * count + 0.5 + 0.2 * math.ceil(lines / _legend_columns(summary))
    figure = Figure(figsize=(6.6, height), layout="constrained")
    panels = figure.subplots(count, 1, squeeze=False)
    return figure, list(panels[:, 0])


def _legend_columns(summary: Summary) -> int:
    longest = max(len(summary.rows[index].group.label) for index in in_colour(summary))
    return 3 if longest <= 20 else 2 if longest <= 38 else 1


def _banded(summary: Summary, steps: bool) -> bool:
    few = len(in_colour(summary)) <= (MOST_BANDS_OF_STEPS if steps else MOST_BANDS)
    return few and any(row.seeds > 1 for row in summary.rows)


def _finish(figure: Figure, panel: Axes, summary: Summary, title: str, *, steps: bool = False) -> None:
    """Add a title, and a legend in which the grey curves have one entry, the last."""
    panel.set_title(title + (", with 95 % interval" if _banded(summary, steps) else ""), fontsize="medium", loc="left")
    handles, labels = panel.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    if len(entries) > len(in_colour(summary)):
        entries[labels[0]] = entries.pop(labels[0])  # grey curves were drawn first
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=_legend_columns(summary),
        frameon=False,
        fontsize="small",
    )


def _steps_axis(panel: Axes, summary: Summary) -> None:
    panel.set_xlabel("environment steps of a seed")
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.set_xlim(left=0)
    if summary.outcomes.common_steps is not None:
        panel.axvline(summary.outcomes.common_steps, color="0.4", linewidth=0.8, linestyle=":")


def _axis_name(metric: str) -> str:
    return metric.replace("_", " ")
