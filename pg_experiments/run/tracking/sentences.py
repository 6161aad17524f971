"""Sentences on the progress and the result of a run."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from pg_experiments.support.terminal import duration


def status_line(
    *, episodes: int, limit: int | None, mean_return: float, speed: float | None, left_s: float | None
) -> str:
    """Episodes, mean return of the window, environment steps per second, if any, and time left, in 80 columns."""
    total = "" if limit is None else f"/{limit}"
    so_far = f"episodes {episodes}{total}  return {mean_return:.1f}" if episodes else "no episode yet"
    steps = "" if speed is None else f"{speed:,.0f} steps/s  "
    return f"{so_far}  {steps}{'?' if left_s is None else duration(left_s)} left"


def headline(result: Mapping[str, Any], threshold: float, window: int) -> str:
    """A sentence on whether, and after how many episodes, the environment was solved."""
    seeds = result["seeds"]
    solved = sorted(seed["episodes_to_solve"] for seed in seeds if seed["solved"])
    goal = f"the mean of the last {window} returns reached {threshold:g}"
    if len(seeds) == 1:
        if solved:
            return f"Solved after {solved[0]} episodes: {goal}."
        return f"Not solved in {result['episodes']} episodes; mean of the last {window} returns: {_one(seeds[0])}."
    finals = [seed["final_return"] for seed in seeds if seed["final_return"] is not None]
    final = f"; final return {statistics.fmean(finals):.1f} ± {statistics.stdev(finals):.1f}" if len(finals) > 1 else ""
    spread = final and f"{final} (mean ± deviation over seeds)"
    median = statistics.median(solved) if solved else 0
    after = f", after {median:g} episodes in the median ({solved[0]} to {solved[-1]})" if solved else ""
    return f"Solved by {len(solved)} of {len(seeds)} seeds{after}{spread}."


def _one(seed: Mapping[str, Any]) -> str:
    return "none yet" if seed["final_return"] is None else f"{seed['final_return']:.1f}"


def job_line(result: Mapping[str, Any]) -> str:
    """The result of a job of a sweep: seeds solved, mean final return and its deviation over seeds, and time."""
    seeds = result["seeds"]
    solved = sum(seed["solved"] for seed in seeds)
    mean = "no episode yet" if result["objective"] is None else f"final return {result['objective']:.1f}"
    deviation = "" if result["objective_std"] is None else f" ± {result['objective_std']:.1f}"
    failed = "" if result["error"] is None else f"  failed: {result['error']}"
    return f"solved {solved}/{len(seeds)}  {mean}{deviation}  {duration(result['wall_time_s'])}{failed}"
