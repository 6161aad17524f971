"""A sweep's jobs are counted by what they are: copies, other spellings and other processes do not change the count."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from pg_experiments.support.run_directory import RunDirectory, state
from tests.sweeps import wait_for

TINY = ("policy.hidden=8", "env.max_episodes=2", "device=cpu", "hydra.sweep.dir=mine")
SWEEP = ("-m", "seed=0,1", *TINY)


def test_a_copied_job_is_named_and_does_not_count(train_here, tmp_path):
    assert train_here(*SWEEP).code == 0
    shutil.copytree(tmp_path / "mine" / "0_seed=0", tmp_path / "mine" / "0_seed=0_copy")
    (tmp_path / "mine" / "kept").mkdir()
    shutil.copytree(tmp_path / "mine" / "1_seed=1", tmp_path / "mine" / "kept" / "old")
    again = train_here(*SWEEP)
    assert again.code == 0, again.err
    lines = again.out.splitlines()
    after = lines[lines.index("sweep of 2 jobs: 2 done") + 1]
    assert after == "copies of a job, not counted: 0_seed=0_copy (of 0_seed=0), kept/old (of 1_seed=1)"


def test_a_copy_of_a_finished_job_does_not_stand_in_for_one_that_is_not_finished(train_here, tmp_path):
    assert train_here(*SWEEP).code == 0
    shutil.copytree(tmp_path / "mine" / "0_seed=0", tmp_path / "mine" / "9_seed=0")
    (tmp_path / "mine" / "0_seed=0" / "result.json").write_text('{"status": "failed", "error": "by hand"}')
    (tmp_path / "mine" / "0_seed=0" / "checkpoints").rename(tmp_path / "mine" / "0_seed=0" / "elsewhere")
    again = train_here(*SWEEP)
    assert again.code == 0, again.err
    assert "no checkpoint, starts from the beginning: mine/0_seed=0" in again.out
    assert state(tmp_path / "mine" / "0_seed=0") == "done"


def test_jobs_that_were_written_in_another_way_are_the_same_jobs(train_here, tmp_path):
    assert train_here(*SWEEP).code == 0
    before = sorted(path.name for path in (tmp_path / "mine").iterdir())
    for other in (
        ("seed=0,1", "optimizer.learning_rate=1e-2"),  # its default
        ("seed=1,0,1",),
        ("seed=range(2)",),
        ("++seed=0,1",),
        ("seed=0", "optimizer.learning_rate=0.01,1e-2"),
    ):
        again = train_here("-m", *other, *TINY)
        assert again.code == 0, again.err
        assert again.out.count("done before") >= 2
        assert "not begun" not in again.out
        assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == before


def test_a_sweep_over_all_options_of_a_group_knows_its_jobs(train_here):
    done = train_here("-m", "baseline=glob(m*)", *TINY)
    assert done.code == 0, done.err
    assert "sweep of 2 jobs: 2 done" in done.out


def test_two_processes_share_a_sweep_and_both_end_well(tmp_path):
    command = [sys.executable, "-m", "pg_experiments.train", "-m", "seed=0,1,2", *TINY]
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in both]
    for process, (out, err) in zip(both, said, strict=True):
        assert process.returncode == 0, err
        assert "sweep of 3 jobs: 3 done" in out
    trained = [out.count("  final return ") for out, _ in said]
    assert sum(trained) == 3, "no job was trained twice"


def test_a_sweep_waits_for_a_job_that_another_process_runs_and_says_when_it_was_not_finished(tmp_path):
    job = tmp_path / "mine" / "0_seed=0"
    other = RunDirectory.claim(job)
    command = [sys.executable, "-u", "-m", "pg_experiments.train", *SWEEP]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "mine" / "1_seed=1" / "result.json").exists())
    (job / ".hydra").mkdir()
    (job / ".hydra" / "overrides.yaml").write_text("[seed=0, policy.hidden=8, env.max_episodes=2, device=cpu]")
    other.write_result({"status": "running"})
    wait_for(lambda: state(tmp_path / "mine" / "1_seed=1") == "done")
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=2)
    other.release()
    out, err = process.communicate(timeout=60)
    assert "0_seed=0: another process is running it" in out
    assert "waiting for what another process runs: 0_seed=0" in out
    assert process.returncode == 1
    assert "sweep of 2 jobs: 1 killed, 1 done" in err
