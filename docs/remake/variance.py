"""Variance and bias of gradient estimators on CartPole and Pong: docs/variance.md."""

from __future__ import annotations

import csv
from itertools import product

from docs.remake.artefact import RESULTS, Artefact, copied, table
from docs.remake.marked import ROOT

OUTPUTS = ROOT / "outputs" / "variance"
KEPT = RESULTS / "variance"
SEEDS = (0, 1, 2)
UPDATES = (0, 10, 20)  # of training on CartPole
CARTPOLE = "experiment=ladder_cartpole collect.episodes=4 returns=reward_to_go baseline=leave_one_out"
RUN, PONG = "outputs/variance/run", "outputs/variance/pong_run"
PONG_UPDATES = (0, 225)  # of training on Pong, the end of the run
RUNGS = {  # the ladder's numbers that are estimators of the gradient
    "1. the whole return": "trajectory γ=0.99",
    "2. reward-to-go": "reward-to-go γ=0.99",
    "3. a baseline (leave_one_out)": "reward-to-go γ=0.99, leave_one_out",
    "4. a learned V(s)": "reward-to-go γ=0.99, value",
    "5. actor-critic (λ = 0.95)": "GAE λ=0.95 γ=0.99, value",
    "6. normalised advantages": "GAE λ=0.95 γ=0.99, value, advantages/batch",
}


def commands() -> list[str]:
    train, variance = "python -m pg_experiments.train", "python -m pg_experiments.variance"
    keep = "checkpoint.every_seconds=null checkpoint.keep=1000"
    found = [
        f"{train} {CARTPOLE} num_seeds={len(SEEDS)} optimizer.learning_rate=0.01 checkpoint.every_updates=10 {keep} "
        f"hydra.run.dir={RUN}",
        f"{train} experiment=pong checkpoint.every_updates=25 {keep} hydra.run.dir={PONG}",
    ]
    for update, seed in product(UPDATES, SEEDS):
        policy, episodes = (_of_run(RUN, update), 200) if update else (CARTPOLE, 400)  # first episodes are short
        settings = f"{policy} seed={seed} episodes={episodes} batch=4"
        found.append(f"{variance} {settings} out=outputs/variance/{_name(update, seed)}")
    for seed in SEEDS:
        found.append(
            f"{variance} {CARTPOLE} policy.dropout=0.5 seed={seed} episodes=400 batch=4 "
            f"out=outputs/variance/dropout_seed_{seed}"
        )
    for update in PONG_UPDATES:
        policy = _of_run(PONG, update) if update else "experiment=pong"
        found.append(f"{variance} {policy} seed=0 episodes=200 batch=8 out=outputs/variance/pong_{update}")
    return found


def _of_run(run: str, update: int) -> str:
    return f"run={run} checkpoint={run}/checkpoints/update_{update:08d}.pt"


def _name(update: int, seed: int) -> str:
    return f"cartpole_{update}_seed_{seed}"


def values() -> dict[str, str]:
    return {
        "variance.ladder": _ladder(),
        "variance.normalising": _of_cartpole(
            ("reward-to-go", "reward-to-go, returns/episode", "reward-to-go, returns/batch")
        ),
        "variance.mean": _of_cartpole(("reward-to-go, mean", "reward-to-go, leave_one_out", "reward-to-go, optimal")),
        "variance.lambda": _of_cartpole(tuple(f"GAE λ={each} γ=0.99, value" for each in ("0", "0.8", "0.95", "1"))),
        "variance.dropout": _dropout(),
        "variance.pong": _pong(),
    }


def _rows(name: str) -> dict[str, dict[str, str]]:
    """What has been measured of each estimator, by its name."""
    with (KEPT / f"{name}.csv").open() as file:
        return {row["estimator"]: row for row in csv.DictReader(file)}


def _ladder() -> str:
    """The relative variance of each rung: the median of the seeds, and their range."""
    rows = []
    for title, estimator in RUNGS.items():
        cells = []
        for update in UPDATES:
            found = sorted(float(_rows(_name(update, seed))[estimator]["relative_variance"]) for seed in SEEDS)
            cells.append(f"{found[1]:.2g} ({found[0]:.2g} to {found[-1]:.2g})")
        rows.append((title, *cells))
    return table(("rung", *(f"after {update} updates" for update in UPDATES)), rows)


def _of_cartpole(estimators: tuple[str, ...]) -> str:
    """Variance and bias of some estimators for each policy of seed 0, with intervals."""
    rows = []
    for update, estimator in product(UPDATES, estimators):
        row = _rows(_name(update, 0))[estimator]
        rows.append((str(update), estimator, *_cells(row)))
    return table((">updates", "estimator", "variance", "bias", ">length"), rows)


def _cells(row: dict[str, str]) -> tuple[str, ...]:
    return _interval(row, "relative_variance"), _interval(row, "relative_bias"), f"{float(row['relative_length']):.2g}"


def _interval(row: dict[str, str], column: str) -> str:
    value, low, high = (float(row[f"{column}{end}"] or "nan") for end in ("", "_low", "_high"))
    if value != value:
        return "hidden by noise"
    return f"{value:.2g} ({low:.2g} to {'∞' if high == float('inf') else f'{high:.2g}'})"


def _dropout() -> str:
    """The signal-to-noise ratio of one episode's gradient at the start, without and with dropout."""
    rows = []
    for seed in SEEDS:
        both = [_rows(name)["reward-to-go, value"] for name in (_name(0, seed), f"dropout_seed_{seed}")]
        rows.append((str(seed), *(_interval(row, "snr") for row in both)))
    return table((">seed", "SNR without dropout", "SNR with dropout 0.5"), rows)


def _pong() -> str:
    estimators = (
        "trajectory",
        "reward-to-go, leave_one_out",
        "reward-to-go, value",
        "reward-to-go γ=0.99",
        "reward-to-go γ=0.99, leave_one_out",
        "reward-to-go γ=0.99, value",
        "GAE λ=0.95 γ=0.99, value",
        "GAE λ=0.5 γ=0.99, value",
    )
    rows = []
    for update, estimator in product(PONG_UPDATES, estimators):
        row = _rows(f"pong_{update}")[estimator]
        rows.append((str(update), estimator, *_cells(row)[:2], _interval(row, "snr")))
    return table((">updates", "estimator", "variance", "bias", "SNR of one game"), rows)


def _keep() -> None:
    for name in [_name(*each) for each in product(UPDATES, SEEDS)] + [f"dropout_seed_{seed}" for seed in SEEDS]:
        copied(OUTPUTS / name / "variance.csv", KEPT / f"{name}.csv")
    for update in PONG_UPDATES:
        copied(OUTPUTS / f"pong_{update}" / "variance.csv", KEPT / f"pong_{update}.csv")
        copied(OUTPUTS / f"pong_{update}" / "variance.png", ROOT / "docs" / f"variance_pong_{update}.png")
    copied(OUTPUTS / _name(0, 0) / "variance.png", ROOT / "docs" / "variance_cartpole.png")


ARTEFACT = Artefact("variance", tuple(commands()), _keep, values)
