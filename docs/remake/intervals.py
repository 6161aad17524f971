"""How often the intervals of a comparison hold the true value: tables from the output of the simulation."""

from __future__ import annotations

import re
from itertools import takewhile

from docs.remake.artefact import RESULTS, Artefact, table

CASES = {
    "normal, equal": "normal, 0 sd apart",
    "1 sd apart": "normal, 1 sd apart",
    "2 sd apart": "normal, 2 sd apart",
    "3 sd apart": "normal, 3 sd apart",
    "exponential, 2 sd apart": "exponential, 2 sd apart",
    "one level against two": "0.1 about 0, and 0.8 of 10 and -10",
}
SEEDS = ("3, 3", "5, 5", "10, 10", "32, 32", "5, 16", "16, 5")
LEAST_SEEDS = 5  # in each group, from which the interval is recommended
LINE = re.compile(r"(?P<case>\S.*?)\s{2,}[\d.]{5}\s+(?P<seeds>\d+, \d+)\s+(?P<cells>.*)")
CELL = re.compile(r"[\d.]+ \([\d.]+\)")
MEANS = {"normal": "normal", "exponential": "exponential", "0.8 of the seeds at 475, the others below": "solved 0.8"}


def values() -> dict[str, str]:
    text = (RESULTS / "intervals.txt").read_text()
    found: dict[tuple[str, str], list[str]] = {}
    for line in text.splitlines():
        if (match := LINE.fullmatch(line)) and len(cells := CELL.findall(match["cells"])) == 4:
            found[match["case"], match["seeds"]] = cells
    rows = [
        (seeds, name, *(found[case, seeds][column] for case in CASES.values()))
        for seeds in SEEDS
        for column, name in enumerate(("used", "bootstrap"))
    ]
    used = [float(cells[0].split()[0]) for (_, seeds), cells in found.items() if _fewest(seeds) >= LEAST_SEEDS]
    three = sorted(float(cells[0].split()[0]) for (_, seeds), cells in found.items() if seeds == "3, 3")
    newcombe, logit = (min(float(cells[column].split()[0]) for cells in found.values()) for column in (2, 3))
    strata = _strata(text)
    low = sum(float(cells[1].split()[0]) < 0.9 for cells in found.values())
    return {
        "intervals.improvement": table(("seeds", "interval", *(f">{case}" for case in CASES)), rows),
        "intervals.least": f"{min(used):.3f}",
        "intervals.three": f"{three[1]:.2f} to {three[-1]:.2f} in {len(three) - 1} cases, and {three[0]:.3f} in one",
        "intervals.newcombe": f"{newcombe:.2f}",
        "intervals.logit": f"{logit:.2f}",
        "intervals.strata": f"{min(strata):.3f} to {max(strata):.3f}",
        "intervals.low_bootstrap": f"{low} of {len(found)}",
        "intervals.mean": _means(text),
    }


def _fewest(seeds: str) -> int:
    return min(map(int, seeds.split(", ")))


def _strata(text: str) -> list[float]:
    """The share of each layout of strata."""
    after = text[text.index("with strata") :].splitlines()[1:]
    return [float(line.split()[-1]) for line in takewhile(str.strip, after)]


def _means(text: str) -> str:
    head, *lines = text[text.index("interquartile mean") :].splitlines()
    rows = [
        (name, *next(line for line in lines if line.startswith(begin)).split()[-6:]) for name, begin in MEANS.items()
    ]
    return table(("seeds", *(f">{n}" for n in re.findall(r"(\d+) seeds", head))), rows)


ARTEFACT = Artefact(
    "intervals", ("python -m benchmarks.interval_coverage > docs/results/intervals.txt",), values=values
)
