"""A run whose files can no longer be written fails with one line, and its checkpoints stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pg_experiments.run.checkpoint import newest
from tests.sweeps import LONG, wait_for
from tests.torture import Result

OFTEN = "checkpoint.every_updates=5"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def command(disk: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pg_experiments.train", *overrides, "device=cpu", "checkpoint.every_updates=1"],
        cwd=disk.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_on_a_full_disk_a_run_fails_with_one_line_and_goes_on_when_there_is_room(tmp_path, small_disk):
    overrides = ("env.max_episodes=400", "env.threshold=inf", "policy.hidden=128", "tracking.histograms_every=1")
    failed = command(small_disk, f"hydra.run.dir={small_disk / 'run'}", *overrides)
    assert failed.returncode == 1
    assert "No space left on device" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    result = json.loads((small_disk / "run" / "result.json").read_text())
    assert result["status"] == "failed"
    assert "No space left on device" in result["error"]
    state = newest(small_disk / "run")
    assert state is not None
    assert 0 < state["update"] <= result["updates"]
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    done = command(small_disk, f"resume={small_disk / 'run'}")
    assert done.returncode == 0, done.stderr
    assert json.loads((small_disk / "run" / "result.json").read_text())["status"] == "done"
    undisturbed = command(small_disk, f"hydra.run.dir={tmp_path / 'undisturbed'}", *overrides)
    assert undisturbed.returncode == 0
    assert Result(small_disk / "run").differs_from(Result(tmp_path / "undisturbed")) == []


def test_in_a_directory_that_turns_read_only_a_run_fails_with_one_line_and_its_checkpoints_stay(tmp_path):
    without = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    if without and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    run = tmp_path / "run"
    process = subprocess.Popen(
        [*without, sys.executable, "-m", "pg_experiments.train", f"hydra.run.dir={run}", *LONG, OFTEN],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(lambda: list(run.glob("checkpoints/*.pt")))
        for folder in (run / "checkpoints", run):
            folder.chmod(0o555)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        for folder in (run, run / "checkpoints"):
            folder.chmod(0o755)
    assert process.returncode == 1
    assert "Permission denied" in err
    assert len(err.strip().splitlines()) == 1, err
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "failed"
    assert "Permission denied" in result["error"]
    assert newest(run) is not None
