"""Actor-critics, and REINFORCE beside them: published settings, trained and evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from docs.remake.artefact import RESULTS, Artefact, copied, table
from docs.remake.marked import ROOT
from pg_experiments.comparison.statistics import estimate, fraction

PUBLISHED = {
    "a2c_cartpole": "500 (SB3 zoo, 500 k)",
    "ppo_cartpole": "500 (SB3 zoo, 100 k)",
    "ppo_acrobot": "-86.4 ± 1.3 (CleanRL, Acrobot-v1)",
    "ppo_lunarlander": "242 (SB3 zoo, LunarLander-v2, 1 M)",
}


def keep() -> None:
    """The results and evaluations of each run."""
    for name in PUBLISHED:
        for file in ("result.json", "evaluation.json"):
            copied(ROOT / "outputs" / name / file, RESULTS / "actor_critics" / name / file)
    copied(ROOT / "outputs" / "reinforce_cartpole" / "result.json", RESULTS / "reinforce_cartpole" / "result.json")


def values() -> dict[str, str]:
    reinforce = json.loads((RESULTS / "reinforce_cartpole" / "result.json").read_text())
    is_solved = np.array([seed["solved"] for seed in reinforce["seeds"]])
    episodes = np.array([seed["episodes_to_solve"] for seed in reinforce["seeds"] if seed["solved"]])
    share = fraction([is_solved])
    return {
        "actor_critics.table": _table(),
        "actor_critics.reinforce_solved": f"{is_solved.sum()} of {len(is_solved)}",
        "actor_critics.reinforce_interval": f"{share.low:.2f} to {share.high:.2g}",
        "actor_critics.reinforce_median": f"{np.median(episodes):.0f}",
        "actor_critics.reinforce_most": f"{episodes.max()}",
        "actor_critics.reinforce_seconds": f"{reinforce['wall_time_s']:.1f} s",
    }


def _table() -> str:
    head = ("experiment", ">steps of each seed", "greedy", "sampling", "published", ">minutes, all seeds")
    rows = []
    for name, published in PUBLISHED.items():
        _, steps, greedy, sampling, minutes = _cells(RESULTS / "actor_critics" / name)
        rows.append((f"`{name}`", steps, greedy, sampling, published, minutes))
    return table(head, rows)


def _cells(directory: Path) -> tuple[str, ...]:
    """Number of seeds, steps of each, greedy and sampled return, minutes of a run.

    A return is the mean over seeds of a seed's mean return in 100 episodes, with a 95 % bootstrap interval over seeds.

    Args:
        directory: has the run's `result.json` and `evaluation.json`.
    """
    result = json.loads((directory / "result.json").read_text())
    ways = json.loads((directory / "evaluation.json").read_text())["ways"]
    seeds = result["num_seeds"]
    by_way = [_mean(np.array([seed["mean"] for seed in ways[way]["seeds"]])) for way in ("greedy", "sampling")]
    steps, minutes = result["env_steps"] / seeds / 1e6, result["wall_time_s"] / 60
    return (str(seeds), f"{steps:.2f} M", *by_way, f"{minutes:.1f}")


def _mean(means: np.ndarray) -> str:
    """`mean (low to high)`; the interval only where seeds differ."""
    if len(means) == 1 or np.ptp(means) == 0:
        return f"{means.mean():.1f}"
    found = estimate(np.mean, [means])
    return f"{found.value:.1f} ({found.low:.1f} to {found.high:.1f})"


def _commands() -> list[str]:
    """Train and evaluate each."""
    train = "python -m pg_experiments.train experiment={0} num_seeds={1} hydra.run.dir=outputs/{0}"
    lines = [train.format("reinforce_cartpole", 100)]
    for name in PUBLISHED:
        lines.append(train.format(name, 10))
        lines.append(f"python -m pg_experiments.evaluate run=outputs/{name} episodes=100")
    return lines


ARTEFACT = Artefact("actor_critics", _commands(), keep, values)
