"""Pong: when each seed passed a score, from the `metrics.csv` of every run that docs/results/ keeps."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import fisher_exact

from docs.plot_pong import at_the_end, curves, passed
from docs.remake.artefact import RESULTS, Artefact, copied, spread, table
from docs.remake.marked import ROOT
from pg_experiments.comparison.statistics import fraction

LIMIT = 1_500_000  # agent steps of the comparison with the numbers of others
STEPS = 5  # limit of `env=pong` in millions of agent steps; a run that ends before it has reached 18
OTHERS = {
    "env=pong": ("pong", "160 points"),
    "experiment=pong_text": ("pong_text", "64 games"),
    "experiment=pong_karpathy": ("pong_karpathy", "10 games"),
}
Curve = dict[str, np.ndarray]


def keep() -> None:
    """The `metrics.csv` of each seed of `env=pong`."""
    for job in (ROOT / "multirun" / "pong").glob("*_seed=*"):
        copied(job / "metrics.csv", RESULTS / "pong" / f"seed_{job.name.rpartition('=')[2]}" / "metrics.csv")


def values() -> dict[str, str]:
    timed = curves(RESULTS / "pong", timed=True)
    minutes = {score: [float(run["minutes"][_first(run, score)]) for run in timed] for score in (0, 15, 18)}
    more = curves(RESULTS / "pong_more", timed=False)
    default = [*timed, *more]
    to_18 = [float(run["steps"][_first(run, 18)]) for run in default]
    breakout = _breakout()
    wait = curves(RESULTS / "pong_wait", timed=False)
    v5 = [run for name in ("pong_v5", "pong_v5_more") for run in curves(RESULTS / name, timed=False)]
    above_0 = [float(run["steps"][_first(run, 0)]) for run in v5]
    others = {command: _scores(folder) for command, (folder, _) in OTHERS.items()}
    return {
        "pong.table": _with_scores("pong", timed),
        "pong.wait": _with_scores("wait", wait),
        "pong.wait_to_18": _count(wait, _solved),
        "pong.wait_to_18_share": _interval(wait, _solved),
        "pong.wait_p": f"{_fisher(default, wait):.2f}",
        "pong.wait_seed_0": f"{wait[0]['score'][-1]:.1f}",
        "pong.timed_to_0": _count(timed, _above_0),
        "pong.to_18": _count(default, _solved),
        "pong.to_18_share": _interval(default, _solved),
        "pong.v5_above_0": _count(v5, _above_0),
        "pong.v5_above_0_share": _interval(v5, _above_0),
        "pong.more": table(
            ("run", "reached 0", "reached 15", "reached 18"),
            [(f"pong, seed {3 + i}", *(passed(run, score) for score in (0, 15, 18))) for i, run in enumerate(more)],
        ),
        "pong.v5_to_0": spread(above_0, 1),
        "pong.v5_below_3": f"{sum(run['score'].max() < 3 for run in v5)} of {len(v5)}",
        "pong.v5_entropy": spread(_last_entropies("pong_v5", "pong_v5_more"), 2),
        "pong.v5_half_entropy": spread(_last_entropies("pong_v5_half"), 2),
        **{f"pong.{folder}_at_limit": _between(others[command]) for command, (folder, _) in OTHERS.items()},
        "pong.v5": _with_best("", curves(RESULTS / "pong_v5", timed=False)),
        "pong.v5_more": _with_best("", curves(RESULTS / "pong_v5_more", timed=False), first=3),
        "pong.v5_160": _with_best(", 160 points", curves(RESULTS / "pong_v5_160", timed=False)),
        "pong.v5_half": _with_best(", learning rate 0.0015", curves(RESULTS / "pong_v5_half", timed=False)),
        "pong.others": _others(),
        "pong.most_minutes_to_0": f"{np.ceil(max(minutes[0])):.0f} minutes",
        "pong.most_minutes_to_18": f"{max(minutes[18]):.0f} minutes",
        "pong.minutes_to_0": spread(minutes[0], 1),
        "pong.minutes_to_15": spread(minutes[15], 1),
        "pong.minutes_to_18": spread(minutes[18], 1),
        "pong.most_steps_to_18": f"{np.ceil(max(to_18) * 10) / 10:.1f} million",
        "pong.breakout": f"from {breakout[0]:.1f} to {breakout[-1]:.1f}",
    }


def _first(run: Curve, score: float) -> int:
    """Index of the first update after which the mean of the last 100 games is at least the score."""
    return int(np.flatnonzero(run["score"] >= score)[0])


def _above_0(run: Curve) -> bool:
    return bool(run["score"].max() > 0)


def _solved(run: Curve) -> bool:
    """Whether the run stopped before its limit of steps."""
    return bool(run["steps"][-1] < STEPS)


def _count(runs: Sequence[Curve], has: Callable[[Curve], bool]) -> str:
    return f"{sum(map(has, runs))} of {len(runs)}"


def _interval(runs: Sequence[Curve], has: Callable[[Curve], bool]) -> str:
    """Wilson's 95 % interval of the fraction of seeds."""
    share = fraction([np.array([has(run) for run in runs])])
    return f"{share.low:.2f} to {share.high:.2f}"


def _fisher(first: Sequence[Curve], second: Sequence[Curve]) -> float:
    """The two-sided p-value of Fisher's exact test that the same fraction of both is solved."""
    counts = [(solved := sum(map(_solved, runs)), len(runs) - solved) for runs in (first, second)]
    return float(fisher_exact(counts).pvalue)


def _with_scores(name: str, runs: Sequence[Curve]) -> str:
    head = ("run", "reached 0", "reached 15", "reached 18", "at the end")
    rows = [
        (f"{name}, seed {seed}", *(passed(run, score) for score in (0, 15, 18)), at_the_end(run))
        for seed, run in enumerate(runs)
    ]
    return table(head, rows)


def _with_best(what: str, runs: Sequence[Curve], first: int = 0) -> str:
    rows = []
    for seed, run in enumerate(runs, first):
        best = int(run["score"].argmax())
        at_best = f"{_signed(run['score'][best])} at {run['steps'][best]:.2f} M"
        rows.append((f"seed {seed}", passed(run, 0), at_best, at_the_end(run)))
    return table((f"run{what}", "reached 0", "at its best", "at the end"), rows)


def _signed(number: float) -> str:
    return f"{number:.1f}".replace("-", "−")


def _others() -> str:
    """The mean of the last 100 games of each seed's last batch within the limit."""
    rows = []
    for command, (folder, batch) in OTHERS.items():
        updates = [len(rows) for rows in _within_limit(folder)]
        scores = ", ".join(map(_signed, _scores(folder)))
        rows.append((f"`{command}`", batch, f"{min(updates)} to {max(updates)}", scores))
    return table(("run", "a batch", ">updates", "mean of the last 100 games"), rows)


def _within_limit(folder: str) -> list[list[dict[str, str]]]:
    return [[row for row in run if int(row["env_steps"]) <= LIMIT] for run in _rows(folder)]


def _scores(folder: str) -> list[float]:
    """The mean of the last 100 games of each seed at the limit."""
    return [float(rows[-1]["mean_return"]) for rows in _within_limit(folder)]


def _between(scores: Sequence[float]) -> str:
    """`−17 to −14`, or `−19` where all are rounded to it."""
    low, high = round(min(scores)), round(max(scores))
    return (f"{low} to {high}" if low != high else f"{low}").replace("-", "−")


def _last_entropies(*folders: str) -> list[float]:
    """The entropy of each seed's last update, in nats."""
    return [float(rows[-1]["entropy"]) for folder in folders for rows in _rows(folder)]


def _rows(folder: str) -> list[list[dict[str, str]]]:
    """The rows of each seed."""
    seeds: dict[int, list[dict[str, str]]] = {}
    for file in sorted((RESULTS / folder).glob("*/metrics.csv")):
        with file.open() as lines:
            for row in csv.DictReader(lines):
                seeds.setdefault(int(row["seed"]), []).append(row)
    return list(seeds.values())


def _breakout() -> list[float]:
    (run,) = _rows("breakout")
    return [float(row["mean_return"]) for row in run if int(row["episodes"]) >= 100]


ARTEFACT = Artefact(
    "pong",
    (
        "python -m pg_experiments.train -m env=pong seed=0,1,2 hydra.sweep.dir=multirun/pong",
        "python -m docs.plot_pong docs/results/pong.png docs/results/pong docs/results/pong_v5",
    ),
    keep,
    values,
)
