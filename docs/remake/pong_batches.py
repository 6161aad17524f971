"""Pong with other batches: their speed, how far carrying over is from on-policy, and single runs of other settings."""

from __future__ import annotations

import csv

from docs.remake.artefact import RESULTS, Artefact, measured, table


def batches() -> dict[str, str]:
    rows = [
        (way, f"{of['steps_per_second']:,.0f}", f"{of['useful']:.3f}", f"{of['useful_steps_per_second']:,.0f}")
        for way, of in measured("pong_batches")["ways"].items()
    ]
    return {"pong_batches.table": table(("a batch", ">steps/s", ">useful", ">useful steps/s"), rows)}


def carry_over() -> dict[str, str]:
    found = measured("pong_carry_over")
    stages = found["stages"]
    head = (
        "mean of the last 100 games",
        ">batches",
        "steps of an older policy",
        "effective sample size",
        "cosine to the weighted gradient",
    )
    rows = []
    for stage in stages:
        older, low, high = (100 * share for share in stage["older"])
        rows.append(
            (
                _between(stage["low"], min(stage["high"], stage["highest"])),
                str(stage["batches"]),
                f"{older:.1f} % ({low:.1f} to {high:.1f})",
                _mean_and_range(stage["effective"]),
                _mean_and_range(stage["cosine"]),
            )
        )
    shares = [100 * share for stage in stages for share in stage["older"][1:]]
    cosines = [cosine for stage in stages for cosine in stage["cosine"][1:]]
    return {
        "pong_carry_over.table": table(head, rows),
        "pong_carry_over.older": f"{min(shares):.1f} to {max(shares):.1f} %",
        "pong_carry_over.cosine": f"{min(cosines):.2f} to {max(cosines):.2f}",
        "pong_carry_over.updates": f"{found['updates']} updates, at a mean of {stages[-1]['highest']:.1f}",
    }


def _between(low: float, high: float) -> str:
    """A range of scores; the lowest possible score is −21."""
    return (f"below {high:g}" if low < -21 else f"{low:g} to {high:g}").replace("-", "−")


def _mean_and_range(numbers: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*numbers)


def tried() -> dict[str, str]:
    return {"pong_tried.table": _of_file("pong_tried.csv"), "pong_tried.emulators": _of_file("pong_emulators.csv")}


def _of_file(name: str) -> str:
    """The table of a CSV file, whose first row has the titles."""
    with (RESULTS / "measured" / name).open() as file:
        head, *rows = csv.reader(file)
    return table(head, rows)


ARTEFACTS = (
    Artefact(
        "pong_batches", ("python -m benchmarks.pong_batches docs/results/measured/pong_batches.json",), values=batches
    ),
    Artefact(
        "pong_carry_over",
        ("python -m benchmarks.pong_carry_over docs/results/measured/pong_carry_over.json",),
        values=carry_over,
    ),
    Artefact("pong_tried", (), values=tried),  # runs by hand of earlier versions; nothing makes them anew
)
