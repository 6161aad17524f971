"""The few tests that train to the end, or install the project."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, train_in

pytestmark = pytest.mark.slow


def test_the_default_experiment_is_solved_by_at_least_30_of_32_seeds_within_500_episodes(tmp_path):
    """One seed is solved with a probability of about 0.983 (755 of 768), 30 of 32 with 0.98; the seeds are fixed."""
    run = train_in(tmp_path / "run", "num_seeds=32")
    solved = [account.episodes_to_solve for account in run.accounts.seeds if account.solved]
    assert len(solved) >= 30
    assert max(solved) <= 500
    assert max(account.episodes for account in run.accounts.seeds) <= 500


def test_pong_is_learned_from_pixels(tmp_path):
    """Random play scores −20.2 ± 0.1 over 100 games; the slowest seed seen stood at −18.8 by then."""
    run = train_in(tmp_path / "run", "env=pong", "env.max_steps=400000", "optimizer.schedule=constant")
    assert run.accounts.mean_returns()[0] > -19.2


@pytest.mark.parametrize("baseline", ["mean", "moving_average", "value"])
def test_every_baseline_learns(tmp_path, baseline):
    """Eight seeds, 160 episodes, advantages normalised: all of them above five times what random play returns (22)."""
    run = train_in(
        tmp_path / "run", "num_seeds=8", f"baseline={baseline}", "normalization=advantages", "env.max_episodes=160"
    )
    assert run.accounts.mean_returns().min() > 110


def test_plain_reinforce_with_sgd_and_a_linear_policy_learns(tmp_path):
    run = train_in(
        tmp_path / "run",
        "num_seeds=8",
        "policy=linear",
        "optimizer=sgd",
        "normalization=advantages",
        "env.max_episodes=200",
    )
    assert run.accounts.mean_returns().mean() > 40, "59 when this was written; random play returns 22"


def test_help_and_a_mistyped_key_answer_in_at_most_one_and_a_half_times_what_a_bare_hydra_application_takes():
    """The benchmark itself; it said 0.97 when this was written."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    name, ratio = done.stdout.splitlines()[-1].split()
    assert name == "ratio"
    assert float(ratio) <= 1.5


def test_a_thousand_runs_are_compared_in_under_a_minute():
    """The benchmark itself, which took 9 s on two busy cores when this was written."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compare"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    name, seconds = done.stdout.splitlines()[-1].split()
    assert name == "seconds"
    assert float(seconds) < 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The Python of a clean environment with the project's wheel, and the lock's versions of what it needs."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(REPOSITORY)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    lock = (REPOSITORY / "requirements.txt").read_text().splitlines()
    (folder / "constraints.txt").write_text("\n".join(line for line in lock if re.match(r"[\w.-]+==", line)))
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "-c", str(folder / "constraints.txt")]
    subprocess.run([*pip, "torch==2.13.0"], check=True, capture_output=True)
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return python


@pytest.mark.parametrize("own_options", [False, True])
def test_the_installed_wheel_runs_from_any_directory_with_and_without_options_of_ones_own(
    installed, tmp_path, own_options
):
    arguments = ["env.max_episodes=4", "device=cpu", "hydra.run.dir=here"]
    if own_options:
        (tmp_path / "mine" / "env").mkdir(parents=True)
        (tmp_path / "mine" / "env" / "short.yaml").write_text("defaults: [cartpole, _self_]\nmax_episode_steps: 7\n")
        arguments += ["--config-dir", "mine", "env=short"]
    done = subprocess.run(
        [str(installed), "-m", "pg_experiments.train", *arguments],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "here" / "result.json").read_text())
    assert result["status"] == "done"
    assert result["episodes"] == 4
    if own_options:
        assert result["env_steps"] <= 28
    help_ = subprocess.run(
        [str(installed.with_name("pg-train")), "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "learned value V(s)" in help_.stdout
    compared = subprocess.run(
        [str(installed.with_name("pg-compare")), "sweep=here"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.returncode == 0, compared.stderr
    assert "<html" in (tmp_path / "here" / "report.html").read_text()
