"""Single figures that are kept as they were published, each with its command and date, and figures of many runs."""

from __future__ import annotations

import csv
import json

from docs.remake.artefact import RESULTS, Artefact, table


def values() -> dict[str, str]:
    found = json.loads((RESULTS / "measured" / "figures.json").read_text())
    texts = {f"figures.{name}": figure["value"] for name, figure in found["figures"].items()}
    plan = found["plan"]
    rows = [(name, *cells) for name, cells in plan["rows"].items()]
    head = ("", *(f">{title}" for title in plan["head"]))
    return {**texts, "figures.plan": table(head, rows), "figures.least_entropy": f"{_least_entropy():.2f}"}


def _least_entropy() -> float:
    """The least mean entropy of a batch, in nats, of all runs whose `metrics.csv` is in docs/results/."""
    least = float("inf")
    for path in RESULTS.glob("**/metrics.csv"):
        with path.open() as file:
            least = min(least, *(float(row["entropy"]) for row in csv.DictReader(file) if row["entropy"]))
    return least


ARTEFACT = Artefact("figures", (), values=values)  # figures.json has a command for each
