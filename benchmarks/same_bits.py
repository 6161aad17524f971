"""Whether this checkout trains to the same bits as another revision of the project, on this machine.

    python -m benchmarks.same_bits REVISION [--only PATTERN] [--jobs 2]

Checks REVISION out into a temporary git worktree, runs each configuration below once in each checkout as a process of
its own, and compares every column of `metrics.csv` but `wall_time_s`, and the parameters of policy and baseline in the
last checkpoint, bit by bit. Columns that only the newer revision has are allowed. The last line is `same X of Y`.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import hashlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

REPOSITORY = Path(__file__).parent.parent
COMMON = ("device=cpu", "tracking.histograms_every=0", "tracking.plain_every_seconds=1000")
PONG = "env=pong env.num_envs=4 policy.hidden=16 collect.points=6 env.max_frames=4000 env.max_steps=1200"
PONG_EPISODES = (
    "env=pong collect=episodes collect.episodes=4 env.num_envs=4 policy.hidden=16 env.max_frames=600 env.max_steps=900"
)

# Every option of every group at least once; R = 1 and 3; all collectors. Keys have the names of the newest revision.
CONFIGURATIONS = {
    "default": "env.max_episodes=60",
    "default, R=3": "env.max_episodes=60 num_seeds=3",
    "stops when solved, R=3": "env.threshold=60 env.window=10 env.max_episodes=120 num_seeds=3 seed=7",
    "linear policy": "policy=linear env.max_episodes=40 num_seeds=3",
    "bernoulli head": "policy.head=bernoulli env.max_episodes=40 num_seeds=3",
    "two layers, tanh, xavier": "policy.layers=2 policy.hidden=32 policy.activation=tanh policy.initialisation=xavier "
    "env.max_episodes=40 num_seeds=3",
    "no bias, leaky relu, torch's initialisation": "policy.bias=false policy.activation=leaky_relu policy.dropout=0 "
    "policy.initialisation=torch env.max_episodes=40",
    "stored log-probabilities": "algorithm.log_probs=stored env.max_episodes=40 num_seeds=3",
    "entropy bonus, sum, five episodes": "algorithm.entropy_bonus=0.02 algorithm.reduction=sum "
    "collect.episodes=5 env.max_episodes=60 num_seeds=3",
    "exact discount": "returns.exact_discount=true algorithm.discount=0.9 env.max_episodes=40 num_seeds=3",
    "trajectory, mean baseline": "returns=trajectory normalization=none baseline=mean env.max_episodes=40 num_seeds=3",
    "moving average": "baseline=moving_average normalization=none env.max_episodes=40 num_seeds=3",
    "value baseline": "baseline=value normalization=advantages env.max_episodes=40 num_seeds=3",
    "value baseline, bootstrap, two steps": "baseline=value baseline.bootstrap=true baseline.steps=2 "
    "normalization=none env.max_episode_steps=15 env.max_episodes=40 num_seeds=3",
    "returns over the batch": "normalization.returns=batch env.max_episodes=40 num_seeds=3",
    "adamw, linear schedule": "optimizer=adamw optimizer.weight_decay=0.01 optimizer.schedule=linear "
    "env.max_episodes=40 num_seeds=3",
    "adam, weight decay, cosine schedule": "optimizer.weight_decay=0.001 optimizer.schedule=cosine "
    "env.max_episodes=40 num_seeds=3",
    "sgd, momentum, exponential schedule": "optimizer=sgd optimizer.momentum=0.9 optimizer.schedule=exponential "
    "env.max_episodes=40 num_seeds=3",
    "rmsprop, momentum, clipping": "optimizer=rmsprop optimizer.momentum=0.5 optimizer.max_grad_norm=0.1 "
    "env.max_episodes=40 num_seeds=3",
    "the text's CartPole": "experiment=cartpole_text env.max_episodes=40",
    "acrobot": "env=acrobot env.max_episodes=6 env.max_episode_steps=100 num_seeds=3",
    "acrobot, value baseline": "experiment=acrobot env.max_episodes=6 env.max_episode_steps=100",
    "mountain car": "env=gymnasium env.id=MountainCar-v0 env.max_episodes=6",
    "a seed that breaks, R=3": "optimizer=sgd optimizer.learning_rate=1e20 optimizer.max_grad_norm=null "
    "env.max_episodes=20 num_seeds=3",
    "pong, points, carry_over": f"{PONG}",
    "pong, points, carry_over, R=3": f"{PONG} num_seeds=3 env.num_envs=2",
    "pong, points, wait": f"{PONG} collect.unfinished=wait",
    "pong, points, wait, R=3": f"{PONG} collect.unfinished=wait num_seeds=3",
    "pong, episodes, wait": f"{PONG_EPISODES} collect.unfinished=wait",
    "pong, episodes, carry_over, value": f"{PONG_EPISODES} baseline=value baseline.hidden=16",
    "pong, dropout": f"{PONG} policy.dropout=0.3",
    "pong, bootstrap": f"{PONG_EPISODES} baseline=value baseline.bootstrap=true baseline.hidden=16 normalization=none",
    "pong, sticky": f"{PONG.replace('env=pong', 'env=pong_v5')}",
    "pong, linear, categorical": f"{PONG} policy=linear policy.head=categorical".replace("policy.hidden=16 ", ""),
    "breakout": "env=atari env.game=breakout env.num_envs=4 policy.hidden=16 collect.episodes=4 "
    "env.max_frames=600 env.max_steps=900",
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="compare bits with another revision")
    parser.add_argument("revision")
    parser.add_argument("--only", default="*", help="a pattern of configurations' names")
    parser.add_argument("--jobs", type=int, default=2, help="configurations that run at the same time")
    arguments = parser.parse_args()
    chosen = {name: o for name, o in CONFIGURATIONS.items() if fnmatch.fnmatch(name, arguments.only)}
    with tempfile.TemporaryDirectory() as folder, worktree(arguments.revision, Path(folder) / "other") as other:

        def differences(numbered: tuple[int, str]) -> list[str]:
            number, name = numbered
            runs = [train(root, chosen[name], Path(folder) / f"{root.name}_{number}") for root in (other, REPOSITORY)]
            return different(*runs)

        same = 0
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for name, found in zip(chosen, pool.map(differences, enumerate(chosen)), strict=True):
                same += not found
                print(f"{'same' if not found else 'DIFFERENT'}  {name}{''.join(f'{chr(10)}    {f}' for f in found)}")
    print(f"\nsame {same} of {len(chosen)}")
    sys.exit(same != len(chosen))


class worktree:  # noqa: N801  (used as a function)
    """A checkout of a revision, as long as it is entered."""

    def __init__(self, revision: str, path: Path) -> None:
        self.revision, self.path = revision, path

    def __enter__(self) -> Path:
        git("worktree", "add", "--detach", str(self.path), self.revision)
        return self.path

    def __exit__(self, *_: object) -> None:
        git("worktree", "remove", "--force", str(self.path))


def git(*arguments: str) -> None:
    """Runs git in this repository."""
    subprocess.run(["git", "-C", str(REPOSITORY), *arguments], check=True, capture_output=True)


def train(root: Path, overrides: str, directory: Path) -> Path:
    """Trains a configuration with the code of a checkout. Returns the run's directory."""
    words = in_words_of(root, overrides)
    done = subprocess.run(
        [sys.executable, "-m", "pg_experiments.train", *COMMON, *words, f"hydra.run.dir={directory}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    directory.mkdir(exist_ok=True)
    (directory / "output.txt").write_text(done.stdout + done.stderr)
    return directory


# override of the newest revision, or its key -> what version 0.1 called it
RENAMED = {
    "collect=episodes": "algorithm.points_per_update=null",
    "collect.episodes": "algorithm.episodes_per_update",
    "collect.points": "algorithm.points_per_update",
    "collect.unfinished": "algorithm.unfinished",
}


def in_words_of(root: Path, overrides: str) -> list[str]:
    """The overrides, with the names that keys have in a checkout."""
    words = overrides.split()
    if (root / "conf" / "collect").exists():
        return words
    words = [RENAMED.get(word, word) for word in words]
    pairs = (word.partition("=") for word in words)
    return [f"{RENAMED.get(key, key)}={value}" for key, _, value in pairs]


def different(before: Path, after: Path) -> Iterator[str] | list[str]:
    """What differs between two runs' directories, a line each."""
    ends = [(run / "output.txt").read_text().strip().splitlines()[-1:] for run in (before, after)]
    if not all((run / "metrics.csv").exists() for run in (before, after)):
        return [f"no metrics.csv: {end}" for end in ends]
    rows = [list(csv.DictReader((run / "metrics.csv").open(newline=""))) for run in (before, after)]
    if len(rows[0]) != len(rows[1]):
        return [f"{len(rows[0])} rows, {len(rows[1])} rows"]
    found = []
    for column in rows[0][0] if rows[0] else ():
        first = next(
            (n for n, (a, b) in enumerate(zip(*rows, strict=True)) if a[column] != (b.get(column) or "")), None
        )
        if first is not None and column != "wall_time_s":
            found.append(f"{column}: row {first}: {rows[0][first][column]}, {rows[1][first].get(column)}")
    if parameters(before) != parameters(after):
        found.append("parameters differ")
    return found


def parameters(run: Path) -> Counter[tuple[tuple[int, ...], str]]:
    """Shape and digest of each parameter of policy and baseline in a run's newest checkpoint, whatever its name."""
    newest = max((run / "checkpoints").glob("update_*.pt"))
    return Counter(_digests(torch.load(newest, weights_only=True)))


def _digests(state: Mapping[str, Any]) -> Iterator[tuple[tuple[int, ...], str]]:
    for key, value in state.items():
        if key in ("policy", "baseline"):
            for tensor in value.values():
                yield tuple(tensor.shape), hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
        elif isinstance(value, Mapping) and key == "agent":
            yield from _digests(value)


if __name__ == "__main__":
    main()
