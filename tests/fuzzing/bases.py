"""The directories that cases begin with: small runs and a sweep, made once by the commands themselves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.fuzzing.canaries import plant_home, plant_inside
from tests.fuzzing.children import Child
from tests.fuzzing.commands import Command

TINY = (
    "env.max_episodes=4",
    "policy.hidden=4",
    "device=cpu",
    "checkpoint.every_updates=1",
    "tracking.histograms_every=1",
)
RUNS = {
    "outputs/done": (),
    "outputs/seeds": ("num_seeds=2", "baseline=value", "seed=5"),
}
STOPPED = "outputs/stopped"
SWEEP = "multirun/sweep"
SWEPT = ("-m", "baseline=none,value", *TINY, f"hydra.sweep.dir={SWEEP}")
JOBS = ("0_baseline=none", "1_baseline=value")
PONG = "outputs/pong"
PONG_RUN = (
    "env=pong",
    "env.num_envs=1",
    "collect.points=1",
    "env.max_steps=20",
    "policy.hidden=4",
    "device=cpu",
)
BROKEN = {
    "policy/wide.yaml": b"defaults: [mlp\nhidden",
    "policy/list.yaml": b"- a\n- b\n",
    "env/bytes.yaml": b"\xff\xfe id: 1",
}


def make(base: Path, *, pong: bool) -> None:
    """Make the working directory of all cases, with a user's own files in it, and the files beside it.

    Args:
        base: where to make `work` and what is beside it; an existing directory.
        pong: whether there is to be a run of Pong, too.
    """
    work = base / "work"
    work.mkdir()
    for name, overrides in RUNS.items():
        _run(work, base, "train", *TINY, *overrides, f"hydra.run.dir={name}")
    if pong:
        _run(work, base, "train", *PONG_RUN, f"hydra.run.dir={PONG}")
    _run(work, base, "train", *SWEPT)
    shutil.copytree(work / "outputs" / "done", work / STOPPED)
    interrupt(work / STOPPED)
    plant_home(base, work / STOPPED)
    (work / "notes.txt").write_text("the user's own\n")
    (work / "mine").mkdir()
    (work / "mine" / "wide.yaml").write_text("hidden: 512\n")
    for broken, content in BROKEN.items():
        file = work / "broken" / broken
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for directory in [*RUNS, STOPPED, SWEEP, *(f"{SWEEP}/{job}" for job in JOBS), *([PONG] if pong else [])]:
        plant_inside(work / directory)


def interrupt(run: Path) -> None:
    """Take a finished run back behind its last update, as an interrupted one is."""
    *_, last = sorted((run / "checkpoints").glob("update_*.pt"))
    last.unlink()
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | {"status": "interrupted", "updates": 1}))


def _run(work: Path, output: Path, program: str, *arguments: str) -> None:
    outcome = Child(Command(program, list(arguments)).call, work, output, seconds=300).wait()
    if outcome.code != 0:
        raise RuntimeError(f"{program} {' '.join(arguments)}: {outcome.err.decode(errors='replace')}")
    for name in ("stdout", "stderr"):
        os.unlink(output / name)
