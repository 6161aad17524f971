"""Actor-critics, and REINFORCE beside them: published settings, trained and evaluated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from docs.remake.artefact import RESULTS, Artefact, copied, spread, table
from docs.remake.marked import ROOT
from pg_experiments.comparison.statistics import estimate, fraction

PUBLISHED = {  # each trained with seeds in lockstep, ten where FEWER has no other number
    "a2c_cartpole": "500 (SB3 zoo, 500 k)",
    "ppo_cartpole": "500 (SB3 zoo, 100 k)",
    "a2c_acrobot": "",
    "ppo_acrobot": "-73.5 (SB3 zoo, 1 M)",
    "ppo_lunarlander": "242 (SB3 zoo, LunarLander-v2, 1 M)",
    "ppo_lunarlander_continuous": "271 (SB3 zoo, LunarLanderContinuous-v2, 1 M)",
    "sac_lunarlander": "260 (SB3 zoo, LunarLanderContinuous-v2, 500 k)",
    "a2c_pendulum": "-163 (SB3 zoo, 1 M)",
    "ppo_pendulum": "-172 (SB3 zoo, 100 k)",
    "ppo_mountaincar_continuous": "88 (SB3 zoo, 20 k)",
    "sac_pendulum": "-157 (SB3 zoo, 20 k)",
    "a2c_mountaincar_continuous": "91 (SB3 zoo, 100 k)",
    "sac_mountaincar_continuous": "94.7 (SB3 zoo, 50 k)",
    "ppo_mountaincar": "-110 (SB3 zoo, 1 M)",
    "reinforce_inverted_pendulum": "999 ± 2 (Tianshou, InvertedPendulum-v2, 3 M)",
    "reinforce_hopper": "396 ± 65 (Tianshou, Hopper-v3, 3 M)",
    "reinforce_halfcheetah": "884 ± 41 (Tianshou, HalfCheetah-v3, 3 M)",
    "ppo_halfcheetah": "5819 (SB3 zoo, HalfCheetah-v3, 1 M)",
    "ppo_hopper": "2609 ± 701 (Tianshou, Hopper-v3, 1 M)",
    "sac_halfcheetah": "9535 (SB3 zoo, HalfCheetah-v3, 1 M)",
    "sac_hopper": "2326 (SB3 zoo, Hopper-v3, 1 M)",
    "ppo_cartpole_masked": "500 (SB3 zoo, RecurrentPPO, 100 k)",
    "ppo_cartpole_masked_mlp": "",
}
FEWER = {
    "sac_lunarlander": 3,
    "reinforce_inverted_pendulum": 5,
    "reinforce_hopper": 3,
    "reinforce_halfcheetah": 3,
    "ppo_halfcheetah": 3,
    "ppo_hopper": 3,
    "sac_halfcheetah": 3,
    "sac_hopper": 3,
}
CHANGED = {"ppo_cartpole_masked_mlp": ("ppo_cartpole_masked", "policy=mlp")}  # runs of an experiment with an override
PONG = {"ppo_pong": (0, 1, 2), "a2c_pong": (0, 1, 2), "ppo_pong_v5": (0,)}  # seeds, each trained in a run of its own
GAME_LIMIT = 27_000  # steps of a game of Pong
FILES = ("result.json", "evaluation.json")


def keep() -> None:
    """The results and evaluations of each run."""
    for run in [*PUBLISHED, *(run for name in PONG for run in _runs(name))]:
        for file in FILES:
            copied(ROOT / "outputs" / run / file, RESULTS / "actor_critics" / run / file)
    copied(ROOT / "outputs" / "reinforce_cartpole" / "result.json", RESULTS / "reinforce_cartpole" / "result.json")


def values() -> dict[str, str]:
    reinforce = json.loads((RESULTS / "reinforce_cartpole" / "result.json").read_text())
    hopper = json.loads((RESULTS / "actor_critics" / "sac_hopper" / "result.json").read_text())
    is_solved = np.array([seed["solved"] for seed in reinforce["seeds"]])
    episodes = np.array([seed["episodes_to_solve"] for seed in reinforce["seeds"] if seed["solved"]])
    share = fraction([is_solved])
    return {
        "actor_critics.table": _table(),
        "actor_critics.pong": _pong(),
        **_of_pong(),
        "actor_critics.hopper_last": f"{min(seed['final_return'] for seed in hopper['seeds']):.0f}",
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
        rows.append((f"`{' '.join(CHANGED.get(name, (name,)))}`", steps, greedy, sampling, published, minutes))
    return table(head, rows)


def _pong() -> str:
    head = ("experiment", ">seeds", ">steps of each seed", "greedy", "sampling", ">minutes of each seed")
    rows = []
    for name in PONG:
        runs = [RESULTS / "actor_critics" / run for run in _runs(name)]
        seeds, steps, greedy, sampling, minutes = _cells(*runs)
        rows.append((f"`{name}`", seeds, steps, greedy, sampling, minutes))
    return table(head, rows)


def _of_pong() -> dict[str, str]:
    """Single figures of the text below the table."""
    results, evaluations = (
        [json.loads((RESULTS / "actor_critics" / run / file).read_text()) for run in _runs("ppo_pong")]
        for file in FILES
    )
    a2c_solved, a2c, *_ = [
        json.loads((RESULTS / "actor_critics" / run / "result.json").read_text()) for run in _runs("a2c_pong")
    ]
    v5 = json.loads((RESULTS / "actor_critics" / _runs("ppo_pong_v5")[0] / "result.json").read_text())
    *some, last = [f"{result['env_steps'] / 1e6:.2f}" for result in results]
    solved = np.array([seed["solved"] for result in results for seed in result["seeds"]])
    share = fraction([solved])
    lengths = np.array(evaluations[2]["ways"]["greedy"]["seeds"][0]["lengths"])
    return {
        "actor_critics.pong_solved": f"{solved.sum()} of {len(solved)}",
        "actor_critics.pong_solved_share": f"{share.low:.2f} to {share.high:.2f}",
        "actor_critics.pong_steps": f"{', '.join(some)} and {last}",
        "actor_critics.pong_minutes": f"{results[1]['wall_time_s'] / 60:.1f}",
        "actor_critics.pong_a2c_steps": f"{a2c['env_steps'] / 1e6:.2f}",
        "actor_critics.pong_a2c_minutes": f"{a2c_solved['wall_time_s'] / 60:.1f}",
        "actor_critics.pong_v5_steps": f"{v5['env_steps'] / 1e6:.2f}",
        "actor_critics.pong_v5_mean": f"{v5['objective']:.1f}",
        "actor_critics.pong_rallies": f"{(lengths >= GAME_LIMIT).sum()} of {len(lengths)}",
    }


def _runs(name: str) -> list[str]:
    """The directories of an experiment on Pong, relative to that of all runs."""
    return [f"{name}/seed_{seed}" for seed in PONG[name]]


def _cells(*directories: Path) -> tuple[str, ...]:
    """Number of seeds, steps of each, greedy and sampled return, and minutes of each run.

    A return is the mean over seeds of a seed's mean return in 100 episodes, with a 95 % bootstrap interval over seeds.

    Args:
        directories: one or more runs of the same settings; each has a `result.json` and an `evaluation.json`.
    """
    results, evaluations = ([json.loads((directory / file).read_text()) for directory in directories] for file in FILES)
    by_way = [
        _mean(np.array([seed["mean"] for found in evaluations for seed in found["ways"][way]["seeds"]]))
        for way in ("greedy", "sampling")
    ]
    steps = [result["env_steps"] / result["num_seeds"] / 1e6 for result in results]
    minutes = [result["wall_time_s"] / 60 for result in results]
    seeds = sum(result["num_seeds"] for result in results)
    return (str(seeds), f"{_spread(steps, 2)} M", *by_way, _spread(minutes, 1))


def _spread(numbers: Sequence[float], digits: int) -> str:
    return spread(numbers, digits) if len(numbers) > 1 else f"{numbers[0]:.{digits}f}"


def _mean(means: np.ndarray) -> str:
    """`mean (low to high)`; the interval only where seeds differ."""
    if len(means) == 1 or np.ptp(means) == 0:
        return f"{means.mean():.1f}"
    found = estimate(np.mean, [means])
    return f"{found.value:.1f} ({found.low:.1f} to {found.high:.1f})"


def _commands() -> list[str]:
    """Train and evaluate each."""
    train = "python -m pg_experiments.train experiment={0} num_seeds={1} hydra.run.dir=outputs/{2}"
    evaluate = "python -m pg_experiments.evaluate run=outputs/{0} episodes=100"
    lines = [train.format("reinforce_cartpole", 100, "reinforce_cartpole")]
    for name in PUBLISHED:
        experiment, *changes = CHANGED.get(name, (name,))
        lines.append(" ".join([train.format(experiment, FEWER.get(name, 10), name), *changes]))
        lines.append(evaluate.format(name))
    for name, seeds in PONG.items():
        for seed, run in zip(seeds, _runs(name), strict=True):
            lines.append(f"python -m pg_experiments.train experiment={name} seed={seed} hydra.run.dir=outputs/{run}")
            lines.append(evaluate.format(run))
    return lines


ARTEFACT = Artefact("actor_critics", _commands(), keep, values)
