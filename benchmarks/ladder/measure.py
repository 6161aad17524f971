"""Trains the rungs, and keeps what is shown of each seed in a CSV file. What is there already is not trained again."""

from __future__ import annotations

import contextlib
import csv
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common import prepared
from benchmarks.ladder.cartpole import STALE_LEARNING_RATES, STALENESS
from benchmarks.ladder.rungs import Ladder, Rung

POINTS = 30  # of a curve


class Result(NamedTuple):
    """One seed of one configuration."""

    configuration: str
    learning_rate: float
    seed: int
    solved_after: float  # environment steps until the mean return reached the threshold; NaN: never
    final_return: float
    seconds: float  # of the whole run, all seeds together
    curve: tuple[float, ...]  # mean return at POINTS equal intervals of the steps


class Measurements:
    """Results in a CSV file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.results: list[Result] = []
        if file.exists():
            with file.open() as lines:
                self.results = [_from_row(row) for row in csv.DictReader(lines)]

    def of(self, configuration: str, learning_rate: float, seeds: Sequence[int]) -> list[Result]:
        """The results of these seeds, as far as they are there."""
        wanted = set(seeds)
        return [
            r
            for r in self.results
            if r.configuration == configuration and r.learning_rate == learning_rate and r.seed in wanted
        ]

    def measure(
        self, ladder: Ladder, configuration: str, overrides: Sequence[str], rate: float, seeds: Sequence[int]
    ) -> list[Result]:
        """Trains these seeds, unless their results are there."""
        if len(found := self.of(configuration, rate, seeds)) == len(seeds):
            return found
        settings = (*ladder.settings, *overrides, f"optimizer.learning_rate={rate}")
        found = list(trained(ladder, configuration, rate, settings, seeds))
        self.results += found
        self._write()
        solved = sum(not np.isnan(result.solved_after) for result in found)
        print(f"{configuration:<16} {rate:<7} solved {solved} of {len(seeds)}, {found[0].seconds:.0f} s", flush=True)
        return found

    def _write(self) -> None:
        with self.file.open("w", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow([*Result._fields[:-1], *(f"at_{point}" for point in range(1, POINTS + 1))])
            for result in self.results:
                *values, curve = result
                writer.writerow([*values, *(f"{value:.5g}" for value in curve)])


def _from_row(row: dict[str, str]) -> Result:
    curve = tuple(float(row[f"at_{point}"]) for point in range(1, POINTS + 1))
    numbers = (float(row[name]) for name in ("solved_after", "final_return", "seconds"))
    return Result(row["configuration"], float(row["learning_rate"]), int(row["seed"]), *numbers, curve)


def trained(
    ladder: Ladder, configuration: str, rate: float, settings: Sequence[str], seeds: Sequence[int]
) -> Iterator[Result]:
    """Trains the seeds in lockstep, and yields the result of each."""
    with prepared(*settings, f"seed={seeds[0]}", f"num_seeds={len(seeds)}", "device=cpu") as (run, tracker):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        seconds = round(time.perf_counter() - started, 1)
        limit = run.config.env.max_steps
        assert limit is not None
        with (tracker.directory.path / "metrics.csv").open() as lines:
            rows = list(csv.DictReader(lines))
    for seed in seeds:
        own = [row for row in rows if int(row["seed"]) == seed]
        steps = np.array([float(row["env_steps"]) for row in own])
        returns = np.array(
            [float(row["mean_return"] or "nan") for row in own]
        )  # empty before the first episode has ended
        full = np.array([int(row["episodes"]) >= run.config.env.window for row in own])
        solved = np.flatnonzero(full & (returns >= ladder.threshold))
        grid = np.linspace(limit / POINTS, limit, POINTS)
        places = np.searchsorted(steps, grid, side="right") - 1
        curve = tuple(np.where(places >= 0, returns[places.clip(0)], np.nan).tolist())
        solved_after = float(steps[solved[0]]) if len(solved) else float("nan")
        yield Result(configuration, rate, seed, solved_after, float(returns[-1]), seconds, curve)


def climb(ladder: Ladder, measurements: Measurements) -> dict[str, list[Result]]:
    """Measures every rung with its best learning rate. Returns the results that are shown, by rung."""
    shown = {}
    for rung in ladder.rungs:
        best = _best_rate(ladder, rung, measurements)
        shown[rung.name] = measurements.measure(ladder, rung.name, rung.overrides, best, ladder.shown_seeds)
    return shown


def _best_rate(ladder: Ladder, rung: Rung, measurements: Measurements) -> float:
    """The best learning rate of the trials, or the only one."""
    rates = rung.learning_rates or ladder.learning_rates
    if len(rates) == 1:
        return rates[0]
    measured = {
        rate: measurements.measure(ladder, rung.name, rung.overrides, rate, ladder.trial_seeds) for rate in rates
    }
    return max(rates, key=lambda rate: _quality(measured[rate]))


def stale(ladder: Ladder, measurements: Measurements) -> dict[int, list[Result]]:
    """Measures A3C with gradients of different ages, with the learning rate that is best without additional age."""
    a2c = next(rung for rung in ladder.rungs if rung.name == "a2c")
    others = [override for override in a2c.overrides if not override.startswith("algorithm")]

    def of_age(age: int, rate: float, seeds: Sequence[int]) -> list[Result]:
        overrides = ("algorithm=a3c", *others, f"algorithm.staleness={age}")
        return measurements.measure(ladder, f"a3c_{age}", overrides, rate, seeds)

    youngest = STALENESS[0]
    trials = {rate: of_age(youngest, rate, ladder.trial_seeds) for rate in STALE_LEARNING_RATES}
    best = max(trials, key=lambda rate: _quality(trials[rate]))
    return {age: of_age(age, best, ladder.shown_seeds) for age in STALENESS}


def _quality(results: Sequence[Result]) -> tuple[float, float]:
    """What is better is larger: the share that is solved, then the mean of the curves."""
    solved = float(np.mean([not np.isnan(result.solved_after) for result in results]))
    return solved, float(np.nanmean([result.curve for result in results]))
