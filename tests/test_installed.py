"""The project's wheel and that of the example package, in a clean environment and from another directory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.environments import build, fresh_environment
from tests.first_hour import TASKS, Hour, play

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The Python of a clean environment with the project's wheel, and the lock's versions of what it needs."""
    return fresh_environment(tmp_path_factory.mktemp("installed"))


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
    assert "learned state value V(s)" in help_.stdout
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


def test_an_installed_plugin_is_used_like_the_projects_own_options_and_missed_by_name(installed, tmp_path):
    def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed), "-m", module, *arguments],
            cwd=tmp_path,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )

    pip = ["pip", "--disable-pip-version-check"]
    wheel = build(REPOSITORY / "examples" / "pg-suggestions", tmp_path)
    added = run(*pip, "install", "-q", "--no-index", "--no-deps", str(wheel))
    assert added.returncode == 0, added.stderr
    short = ["experiment=suggestions", "policy=residual", "baseline=binned", "env.max_episodes=16", "num_seeds=2"]
    trained = run("pg_experiments.train", *short, "hydra.run.dir=run")
    assert trained.returncode == 0, trained.stderr
    assert "residual" in trained.stdout
    assert "suggestions" in run("pg_experiments.train", "--help").stdout
    assert "did you mean policy.blocks?" in run("pg_experiments.train", *short, "policy.blokcs=3").stderr
    resumed = run("pg_experiments.train", "resume=run", "env.max_episodes=24")
    assert "resumes after update 2" in resumed.stdout, resumed.stderr
    evaluated = run("pg_experiments.evaluate", "run=run", "episodes=4", "greedy=true")
    assert evaluated.returncode == 0, evaluated.stderr
    table = run("pg_suggestions.table", "run")
    assert "| run |" in table.stdout, table.stderr

    run(*pip, "uninstall", "-qy", "pg-suggestions")
    said = run("pg_experiments.evaluate", "run=run").stderr
    assert "needs policy=residual, baseline=binned, env.id=pg_suggestions/Suggestions-v0 of the plugin" in said
    assert said.endswith("expected its package pg-suggestions to be installed\n")


def test_every_task_of_the_first_hour_is_done_in_its_short_form(installed, tmp_path, capsys):
    done = play(Hour(installed, tmp_path, short=True))
    assert done == len(TASKS), capsys.readouterr().out
