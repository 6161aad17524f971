"""What commands say and leave where the learning of a seed breaks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

POISONED = """
import sys
from pg_experiments.train import __main__ as train
from pg_experiments.collect import CompiledEpisodeCollector

collect = CompiledEpisodeCollector.collect

def poisoned(collector, update, active):
    rollout = collect(collector, update, active)
    if update == 1:
        rollout.rewards[:, 1] = float("nan")
    return rollout

CompiledEpisodeCollector.collect = poisoned
sys.argv = ["train", *{arguments!r}]
train.main()
"""


def poisoned(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, whose second seed gets rewards that are not numbers in the second update."""
    script = POISONED.format(arguments=(*arguments, "num_seeds=3", "env.max_episodes=8", "device=cpu"))
    return subprocess.run([sys.executable, "-c", script], cwd=directory, capture_output=True, text=True, check=False)


def test_a_command_of_which_some_seeds_fail_is_done_and_says_so(tmp_path):
    done = poisoned(tmp_path, "hydra.run.dir=mine")
    assert done.returncode == 0, done.stderr
    why = "seed 1 stopped at update 1: rewards are not finite; see what the environment returns"
    assert f"\nwarning: {why}\n" in done.stdout
    assert f"  failed    {why}\n" in done.stdout.partition("Solved by 0 of 3 seeds")[2]
    left = json.loads((tmp_path / "mine" / "result.json").read_text())
    assert (left["status"], left["error"]) == ("done", why)
    assert [seed["final_return"] is None for seed in left["seeds"]] == [False, True, False]
    known = [seed["final_return"] for seed in left["seeds"] if seed["final_return"] is not None]
    assert left["objective"] == pytest.approx(np.mean(known))


def test_a_sweep_of_whose_jobs_some_seeds_fail_is_done_and_its_end_names_them(tmp_path):
    done = poisoned(tmp_path, "-m", "policy.hidden=4,8", "hydra.sweep.dir=mine")
    assert done.returncode == 0, done.stderr
    assert "sweep of 2 jobs: 2 done" in done.stdout
    said = done.stdout.partition("done, but not every seed:")[2]
    for job in ("0_policy.hidden=4", "1_policy.hidden=8"):
        assert f"{job}  done   seed 1 stopped at update 1: rewards are not finite" in said
