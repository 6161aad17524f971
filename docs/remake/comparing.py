"""What a comparison says first: the example of docs/comparing.md."""

from __future__ import annotations

from docs.remake.artefact import RESULTS, Artefact
from docs.remake.marked import ROOT
from pg_experiments.comparison.comparison import compare_runs

SWEEP = ROOT / "multirun" / "comparing"
FILE = RESULTS / "comparing.txt"


def keep() -> None:
    """The lines of the headline."""
    FILE.write_text("".join(f"{line}\n" for line in compare_runs([SWEEP]).headline))


def values() -> dict[str, str]:
    return {f"comparing.{number}": line for number, line in enumerate(FILE.read_text().splitlines(), 1)}


ARTEFACT = Artefact(
    "comparing",
    (
        "python -m pg_experiments.train -m policy.dropout=0,0.2,0.5 optimizer.weight_decay=0,1e-4 num_seeds=8 "
        "hydra.sweep.dir=multirun/comparing",
        "python -m pg_experiments.compare sweep=multirun/comparing",
    ),
    keep,
    values,
)
