"""The figure: variance against bias on logarithmic axes, with a label for each estimator in the margin."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pg_experiments.comparison.plots import STYLE
from pg_experiments.estimators.measuring import Row, Variances

# by what the returns begin with
COLOURS = {"trajectory": "C3", "reward-to-go": "C0", "-step": "C1", "GAE": "C2", "derivative": "black"}
MARKS = {"": "o", "returns/episode": "X", "returns/batch": "s", "advantages/batch": "D"}
LINE = 0.19  # inches between two labels
BELOW, ABOVE = 1.15, 0.45  # inches for the axis and the legend, and for the title
ROOM = 1.25  # factor between the outermost marks and the ends of an axis
BAND = 0.7  # decades of the band for biases that cannot be seen
COLUMNS = 9  # of marks in the band, side by side, so that none covers another
NOTE = 0.16  # inches for a line of the note below the axis


def figure(found: Variances) -> Figure:
    """Draws the figure. Labels are in a column at the right in the order of variances, so that none covers another."""
    rows = sorted(filter(_is_known, found.rows), key=lambda row: row.measured.variance.value)
    note = _note([row for row in found.rows if not _is_known(row)])
    below = BELOW + NOTE * len(note)
    inside = LINE * len(rows) + 0.4
    height = inside + below + ABOVE
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(10.5, height))
        panel = drawn.add_axes((0.085, below / height, 0.52, inside / height))
        start = _axes(panel, rows)
        unseen = 0
        for row, end in zip(rows, _label_heights(panel, rows, LINE / inside), strict=True):
            bias = row.measured.bias.value
            if not _is_seen(row):
                bias = start * 10 ** (BAND * (0.5 + unseen % COLUMNS) / COLUMNS)
                unseen += 1
            _draw(panel, row, bias, end)
        _legend(panel, rows)
        drawn.text(0.012, 0.4 / height, "\n".join(note), fontsize=8, va="bottom")
        panel.set_ylabel("variance of one episode's gradient, relative to REINFORCE")
        panel.set_title(f"{found.episodes} episodes; {found.settings}", fontsize="medium", loc="left")
    return drawn


def _axes(panel: Axes, rows: Sequence[Row]) -> float:
    """Sets the axes. Returns where the band for biases that cannot be seen begins."""
    panel.set_xscale("log")
    panel.set_yscale("log")
    biases = [row.measured.bias.value for row in rows if _is_seen(row)]
    least, most = min([0.1, *biases]), max([1.0, *biases])
    start = least / ROOM / 10**BAND
    panel.axvspan(start, start * 10**BAND, color="0.94", linewidth=0)
    panel.set_xlim(start, most * ROOM)
    variances = [row.measured.variance.value for row in rows]
    panel.set_ylim(min(variances) / ROOM, max(variances) * ROOM)
    ticks = [tick * scale for scale in 10.0 ** np.arange(-6, 6) for tick in (1, 2, 5)]
    ticks_x = [tick for tick in ticks if least / ROOM <= tick <= most * ROOM]
    panel.set_xticks([start * 10 ** (BAND / 2), *ticks_x], ["none seen", *(f"{tick:g}" for tick in ticks_x)])
    low, high = panel.get_ylim()
    ticks_y = [tick for tick in ticks if low <= tick <= high]
    panel.set_yticks(ticks_y, [f"{tick:g}" for tick in ticks_y])
    panel.minorticks_off()
    panel.set_xlabel("bias, relative to the length of the true gradient")
    return start


def _is_known(row: Row) -> bool:
    """Whether the variance has an interval: not where an estimator that normalises has no length that can be seen."""
    return math.isfinite(row.measured.variance.value) and math.isfinite(row.measured.variance.high)


def _note(rows: Sequence[Row]) -> list[str]:
    """Lines that name the estimators that are not drawn."""
    if not rows:
        return []
    names = "; ".join(row.description.name for row in rows)
    return textwrap.wrap(f"Not drawn, as noise hides the length that they are divided by: {names}", 150)


def _is_seen(row: Row) -> bool:
    """Whether a bias can be told apart from 0."""
    return math.isfinite(row.measured.bias.value) and row.measured.bias.low > 0


def _label_heights(panel: Axes, rows: Sequence[Row], step: float) -> list[float]:
    """Heights of the labels in fractions of the panel: near those of their marks, and at least a step apart."""
    low, high = np.log(panel.get_ylim())
    wanted = [(math.log(row.measured.variance.value) - low) / (high - low) for row in rows]
    placed: list[float] = []
    for index, height in enumerate(wanted):
        most = 1 - step * (len(rows) - index - 0.5)  # leaves room for the labels above it
        placed.append(min(most, max(height, placed[-1] + step if placed else step / 2)))
    return placed


def _draw(panel: Axes, row: Row, x: float, end: float) -> None:
    """A mark with its interval, its label, and a line between them."""
    description, measured = row
    colour = next(c for key, c in COLOURS.items() if key in description.returns)
    y, low, high = measured.variance
    if math.isfinite(high) and low > 0:
        panel.plot([x, x], [low, high], color=colour, alpha=0.3, linewidth=1.5)
    face = "none" if description.is_unbiased else colour
    panel.plot([x], [y], MARKS[description.normalization], color=colour, markerfacecolor=face, markersize=6, zorder=3)
    panel.annotate(
        description.name,
        (x, y),
        (1.05, end),
        textcoords="axes fraction",
        va="center",
        fontsize=8,
        color=colour,
        arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.35, "linewidth": 0.6, "relpos": (0, 0.5)},
        annotation_clip=False,
    )


def _legend(panel: Axes, rows: Sequence[Row]) -> None:
    """What the marks stand for."""
    kinds = [("o", "none", "unbiased"), ("o", "0.3", "biased")]
    used = {row.description.normalization for row in rows}
    kinds += [(mark, "0.3", f"normalised: {name}") for name, mark in MARKS.items() if name and name in used]
    handles = [panel.plot([], [], mark, color="0.3", markerfacecolor=face, label=text)[0] for mark, face, text in kinds]
    panel.figure.legend(handles=handles, loc="lower left", fontsize="small", frameon=False, ncols=len(handles))
