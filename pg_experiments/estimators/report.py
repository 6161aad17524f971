"""Writes the files: tables, the figure, and a self-contained HTML page."""

from __future__ import annotations

import base64
from operator import methodcaller
from pathlib import Path

from pg_experiments.comparison import plots
from pg_experiments.comparison.report import html
from pg_experiments.estimators.measuring import Variances
from pg_experiments.estimators.plot import figure
from pg_experiments.estimators.table import HEADER, LEGEND, as_csv, cells, headline, markdown
from pg_experiments.support.files import Directory

PICTURE = "variance.png"
CAPTION = (
    "Variance against bias of each estimator, from the same episodes. In the grey band are estimators whose bias "
    "cannot be told apart from none; bars are 95 % intervals of the variance."
)


def write_report(directory: Path, found: Variances) -> list[str]:
    """Writes all files; each is replaced atomically. Returns their names."""
    picture = plots.png(figure(found))
    files = {
        "variance_report.html": page(found, picture).encode(),
        "variance.md": markdown(found, PICTURE).encode(),
        "variance.csv": as_csv(found).encode(),
        PICTURE: picture,
    }
    for name, content in files.items():
        Directory(directory).replace(name, methodcaller("write", content))
    return list(files)


def page(found: Variances, picture: bytes) -> str:
    """The HTML page, of which the figure, a PNG file, is a part."""
    return html(
        Path(__file__).parent / "report.html.j2",
        found=found,
        headline=headline(found),
        header=HEADER,
        legend=LEGEND,
        rows=[[cell.partition(" [")[::2] for cell in row] for row in cells(found)],
        picture=base64.b64encode(picture).decode(),
        caption=CAPTION,
    )
