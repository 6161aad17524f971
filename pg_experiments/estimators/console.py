"""Terminal output."""

from __future__ import annotations

from pg_experiments.comparison.console import terminal
from pg_experiments.estimators.measuring import Variances
from pg_experiments.estimators.table import LEGEND, headline, rich_table


def show(found: Variances) -> None:
    """Prints the title, sentences, the table, what its columns mean, and what is left out."""
    console = terminal()
    console.print(found.title, markup=False, style="bold", soft_wrap=True)
    for sentence in (*headline(found), *found.notes):
        console.print(f"• {sentence}", markup=False, soft_wrap=True)
    console.print(rich_table(found))
    for sentence in LEGEND:
        console.print(sentence, markup=False, style="dim", soft_wrap=True)
    for name, reason in found.left_out:
        console.print(f"left out: {name}: {reason}", markup=False, soft_wrap=True)
