"""Real sweeps with every launcher: what comes out, how many threads a job has, and what a killed job takes with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg_experiments.support.run_directory import state
from tests.sweeps import LONG, TINY, begin, end, needs, process_of, statuses, sweep, wait_for

JOBLIB = pytest.param("joblib", marks=needs("hydra_plugins.hydra_joblib_launcher", "joblib"))
LOCAL = pytest.param("submitit_local", marks=needs("hydra_plugins.hydra_submitit_launcher", "slurm"))
RAY = pytest.param("ray", marks=needs("hydra_plugins.hydra_ray_launcher", "ray"))
SEEDS = {"0_seed=0": "done", "1_seed=1": "done"}
PROBE = """\
import gymnasium
gymnasium.register("Probe-v0", entry_point="probe:make", max_episode_steps=500)
"""
MAKE = """\
import os, pathlib, gymnasium, torch
def make(**keys):
    pathlib.Path(os.environ["PROBE"], str(os.getpid())).write_text(str(torch.get_num_threads()))
    return gymnasium.make("CartPole-v1", **keys)
"""


@pytest.fixture
def probed(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which every Python process knows Probe-v0, a CartPole that notes the threads of its process."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "probe").mkdir()
    (tmp_path / "modules" / "sitecustomize.py").write_text(PROBE)
    (tmp_path / "modules" / "probe.py").write_text(MAKE)
    return {"PYTHONPATH": str(tmp_path / "modules"), "PROBE": str(tmp_path / "probe"), "RAY_AUTH_MODE": "disabled"}


@pytest.mark.parametrize("launcher", [JOBLIB, LOCAL, RAY])
def test_two_jobs_at_a_time_have_a_process_and_a_thread_each_and_leave_runs_as_ever(tmp_path, probed, launcher):
    two = {"joblib": "hydra.launcher.n_jobs=2", "ray": "+hydra.launcher.ray.init.num_cpus=2"}.get(launcher)
    overrides = ["env=gymnasium", "env.id=Probe-v0", *TINY, *([two] if two else [])]
    done = sweep(tmp_path, f"hydra/launcher={launcher}", "seed=0,1", *overrides, OMP_NUM_THREADS="", **probed)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == SEEDS
    threads = [int(file.read_text()) for file in (tmp_path / "probe").iterdir()]
    cores = os.cpu_count() or 1
    assert threads == [cores // 2 if launcher == "joblib" else 1] * 2
    for seed in (0, 1):
        assert len(list((tmp_path / "sweep" / f"{seed}_seed={seed}").glob("events.out.tfevents.*"))) == 1
        assert (tmp_path / "sweep" / f"{seed}_seed={seed}" / ".hydra" / "config.yaml").exists()


@pytest.mark.parametrize("launcher", [JOBLIB, LOCAL])
def test_a_job_that_fails_stops_no_other(tmp_path, launcher):
    rates = "optimizer.learning_rate=1e40,0.01"  # the first one makes NaN of the policy
    done = sweep(tmp_path, f"hydra/launcher={launcher}", rates, "optimizer.max_grad_norm=null", *TINY)
    assert done.returncode == 1
    assert list(statuses(tmp_path).values()) == ["failed", "done"]


@pytest.mark.parametrize("launcher", [LOCAL])
def test_a_job_whose_machine_is_wanted_back_saves_itself_is_queued_again_and_goes_on(tmp_path, launcher):
    """By the signal that submitit has SLURM send before it takes a machine away, or before the time is up."""
    process = begin(tmp_path, f"hydra/launcher={launcher}", "seed=0,1", *LONG, "env.max_episodes=1000")
    job = tmp_path / "sweep" / "0_seed=0"
    try:
        wait_for(lambda: (job / "metrics.csv").exists() and len((job / "metrics.csv").read_text()) > 2000)
        os.kill(process_of(job), signal.SIGUSR2)
        _, err = process.communicate(timeout=120)
    finally:
        end(process)
    assert process.returncode == 0, err
    assert statuses(tmp_path) == SEEDS
    assert "INFO resumes after update" in (job / "train.log").read_text()
    assert not (tmp_path / "sweep" / "1_seed=1" / "train.log").read_text().count("resumes after")


@pytest.mark.parametrize("launcher", [JOBLIB, LOCAL, RAY])
def test_a_job_that_is_killed_takes_others_with_it_only_under_joblib_and_is_done_again_by_ray(tmp_path, launcher):
    two = {"joblib": "hydra.launcher.n_jobs=2", "ray": "+hydra.launcher.ray.init.num_cpus=2"}.get(launcher)
    process = begin(
        tmp_path, f"hydra/launcher={launcher}", "seed=0,1", *LONG, "env.max_episodes=300", *([two] if two else []),
        RAY_AUTH_MODE="disabled",
    )  # fmt: skip
    victim = tmp_path / "sweep" / "0_seed=0"
    try:
        os.kill(process_of(victim), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    finally:
        end(process)
    assert (process.returncode == 0) == (launcher == "ray"), err
    assert (statuses(tmp_path).get("0_seed=0") == "done") == (launcher == "ray")
    assert (statuses(tmp_path).get("1_seed=1") == "done") == (launcher != "joblib")


@pytest.mark.parametrize("launcher", [JOBLIB])
def test_sigterm_to_a_sweeps_own_process_leaves_no_job_that_trains_on_unseen(tmp_path, launcher):
    process = begin(tmp_path, f"hydra/launcher={launcher}", "seed=0,1", *LONG, "hydra.launcher.n_jobs=2")
    job = tmp_path / "sweep" / "0_seed=0"
    try:
        wait_for(lambda: state(job) == "running")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)  # which waits for all that write to its pipes
    finally:
        end(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert state(job) in ("killed", "interrupted")
    assert "python -m pg_experiments.train resume=sweep/0_seed=0" in err
