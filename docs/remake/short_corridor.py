"""Sutton and Barto's figures 13.1 and 13.2: REINFORCE on the short corridor, and ε-greedy action values beside it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("agg")
from matplotlib import pyplot as plt

from docs.remake.artefact import RESULTS, Artefact, table
from docs.remake.marked import ROOT
from pg_experiments.comparison.statistics import estimate

NAME = "short_corridor"
FOLDER = RESULTS / NAME
MEANS, ENDS = FOLDER / "returns.csv", FOLDER / "ends.csv"
EVALUATION = FOLDER / "evaluation.csv"
LOOPS = ROOT / "outputs" / NAME / "loops.csv"
LAST = 100  # episodes at the end whose mean is the result of a seed
BEST = 2 - 2**0.5  # probability of right of the best policy

RUNS = {  # curve: overrides
    "alpha_12": "optimizer.learning_rate=2.44140625e-4",
    "alpha_13": "",
    "alpha_14": "optimizer.learning_rate=6.103515625e-5",
    "alpha_13_long": "env.max_episodes=3000",
    "baseline": "",
}
LABELS = {
    "alpha_12": "REINFORCE, α = 2⁻¹²",
    "alpha_13": "REINFORCE, α = 2⁻¹³",
    "alpha_14": "REINFORCE, α = 2⁻¹⁴",
    "alpha_13_long": "REINFORCE, α = 2⁻¹³, 3,000 episodes",
    "baseline": "REINFORCE with baseline, α = 2⁻⁹",
    "book": "the book's loop, α = 2⁻¹³",
    "book_baseline": "the book's loop with baseline, α = 2⁻⁹",
    "sarsa": "ε-greedy action values, Sarsa",
    "monte_carlo": "ε-greedy action values, Monte Carlo",
}


def value(p: float) -> float:
    """The value of the policy that goes right with probability p, from v = −1 + P v."""
    return -2 * (2 - p) / (p * (1 - p))


def keep() -> None:
    """Means over seeds and the ends of all seeds as files, and the two figures."""
    curves = {name: _of_run(ROOT / "outputs" / NAME / name) for name in RUNS} | _of_loops()
    FOLDER.mkdir(exist_ok=True)
    episodes = max(returns.shape[1] for returns in curves.values())
    with MEANS.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("episode", *curves))
        means = {name: returns.mean(0) for name, returns in curves.items()}
        for episode in range(episodes):
            rows.writerow((episode + 1, *(f"{m[episode]:.2f}" if episode < len(m) else "" for m in means.values())))
    with ENDS.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("curve", "seed", "return", "longest_episode"))
        for name, returns in curves.items():
            for seed, of_seed in enumerate(returns):
                rows.writerow((name, seed, f"{of_seed[-LAST:].mean():.2f}", f"{-of_seed.min():.0f}"))
    ways = json.loads((ROOT / "outputs" / NAME / "baseline" / "evaluation.json").read_text())["ways"]
    lines = [f"{way},{seed['seed']},{seed['mean']:.2f}\n" for way, found in ways.items() for seed in found["seeds"]]
    EVALUATION.write_text("way,seed,mean\n" + "".join(lines))
    _draw("13_1", ("alpha_12", "alpha_13", "alpha_14", "monte_carlo"))
    _draw("13_2", ("baseline", "alpha_13"))


def values() -> dict[str, str]:
    ends: dict[str, list[dict[str, str]]] = {}
    with ENDS.open() as file:
        for row in csv.DictReader(file):
            ends.setdefault(row["curve"], []).append(row)
    means = _means()
    rows = []
    for name, of_seeds in ends.items():
        found = estimate(np.mean, [np.array([float(row["return"]) for row in of_seeds])])
        at_100 = means[name][90:110].mean()
        rows.append(
            (LABELS[name], _minus(at_100), f"{_minus(found.value)} ({_minus(found.low)} to {_minus(found.high)})")
        )
    with EVALUATION.open() as file:
        evaluated = [(row["way"], float(row["mean"])) for row in csv.DictReader(file)]
    by_way = {way: float(np.mean([mean for of, mean in evaluated if of == way])) for way in ("greedy", "sampling")}
    longest = max(int(row["longest_episode"]) for name in RUNS for row in ends[name])
    return {
        f"{NAME}.table": table(("algorithm", ">return, about episode 100", "last 100 episodes"), rows),
        f"{NAME}.best": f"{_minus(value(BEST), 2)}",
        f"{NAME}.longest": str(longest),
        f"{NAME}.greedy": _minus(by_way["greedy"], 0),
        f"{NAME}.sampling": _minus(by_way["sampling"]),
        f"{NAME}.left": _minus(value(0.05)),
        f"{NAME}.right": _minus(value(0.95)),
    }


def _of_run(directory: Path) -> np.ndarray:
    """Returns [seeds, episodes] of a run with one episode in each update."""
    with (directory / "metrics.csv").open() as file:
        rows = [(int(row["seed"]), int(row["update"]), float(row["episodic_return"])) for row in csv.DictReader(file)]
    return _array(rows)


def _of_loops() -> dict[str, np.ndarray]:
    rows: dict[str, list[tuple[int, int, float]]] = {}
    with LOOPS.open() as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["curve"], []).append((int(row["seed"]), int(row["episode"]), float(row["return"])))
    return {name: _array(of_curve) for name, of_curve in rows.items()}


def _array(rows: Sequence[tuple[int, int, float]]) -> np.ndarray:
    seeds, episodes, returns = zip(*rows, strict=True)
    array = np.full((max(seeds) + 1, max(episodes) + 1), np.nan)
    array[seeds, episodes] = returns
    return array


def _means() -> dict[str, np.ndarray]:
    with MEANS.open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows if row[name]]) for name in LABELS}


def _draw(figure_name: str, names: Sequence[str]) -> None:
    means = _means()
    figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
    lines = {"best policy, p(right) = 0.59: −11.66": BEST}
    if figure_name == "13_1":
        lines |= {"ε-greedy right, p = 0.95": 0.95, "ε-greedy left, p = 0.05": 0.05}
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for label, p in lines.items():
        panel.axhline(value(p), color="grey", linestyle="--", linewidth=1)
        height = value(p) + (4 if p == BEST else 1)  # above the curves
        panel.text(990, height, label, ha="right", va="bottom", fontsize=8, bbox=box, zorder=3)
    for name in names:
        panel.plot(np.arange(1, len(means[name]) + 1), means[name], linewidth=1, label=LABELS[name])
    panel.set(xlabel="episode", ylabel="total reward, mean of 100 seeds", xlim=(0, 1000), ylim=(-100, -2))
    panel.legend(loc="lower right", ncols=2, fontsize=8)
    figure.savefig(ROOT / "docs" / f"{NAME}_{figure_name}.png", dpi=110)
    plt.close(figure)


def _minus(number: float, digits: int = 1) -> str:
    return f"{number:.{digits}f}".replace("-", "−")


def _commands() -> list[str]:
    train = "python -m pg_experiments.train experiment={0} hydra.run.dir=outputs/{1}/{2} {3}"
    runs = [
        train.format(f"{NAME}_baseline" if name == "baseline" else NAME, NAME, name, overrides).strip()
        for name, overrides in RUNS.items()
    ]
    evaluate = f"python -m pg_experiments.evaluate run=outputs/{NAME}/baseline episodes=100"
    return [*runs, evaluate, f"python -m benchmarks.short_corridor > outputs/{NAME}/loops.csv"]


ARTEFACT = Artefact(NAME, _commands(), keep, values)
