"""A search by Optuna that is killed goes on with the same command, and survives trials that fail."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.sweeps import begin, end, needs, sweep, wait_for

pytestmark = needs("hydra_plugins.hydra_optuna_sweeper", "optuna")
SEARCH = ("experiment=search_cartpole", "device=cpu", "env.max_episodes=10", "env.threshold=inf")


def trials(directory: Path) -> dict[str, str]:
    """The state of each trial by its values, in the order in which they were proposed."""
    database = directory / "sweep" / "study.db"
    if not database.exists():
        return {}
    query = """SELECT group_concat(param_name || '=' || param_value), state FROM trials JOIN trial_params
        USING (trial_id) GROUP BY trial_id ORDER BY trial_id"""
    with sqlite3.connect(database) as connection:
        try:
            return dict(connection.execute(query))
        except sqlite3.OperationalError:  # the tables are not there yet, or are being written
            return {}


def test_a_search_that_was_killed_goes_on_with_the_same_command_to_the_number_of_trials_asked_for(tmp_path):
    search = (*SEARCH, "hydra.sweeper.n_trials=5", "env.max_episodes=60")
    process = begin(tmp_path, *search)
    try:
        wait_for(lambda: len(list(tmp_path.glob("sweep/*/result.json"))) == 3)
    finally:
        end(process)
    before = trials(tmp_path)
    assert list(before.values()) == ["COMPLETE", "COMPLETE", "RUNNING"]
    done = sweep(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    after = trials(tmp_path)
    assert list(after)[:3] == list(before), "what was proposed stays, and no proposal comes twice"
    assert len(after) == 5
    assert "RUNNING" not in after.values()
    assert list(after.values()).count("COMPLETE") >= 4
    assert "best_value" in (tmp_path / "sweep" / "optimization_results.yaml").read_text()
    again = sweep(tmp_path, *search)
    assert again.returncode == 0, again.stderr
    assert trials(tmp_path) == after, "a search that is done does nothing"


def test_trials_that_diverge_are_noted_as_failed_and_the_search_goes_on(tmp_path):
    rates = "optimizer.learning_rate=tag(log,interval(0.001,1e40))"  # the highest make NaN of the policy
    done = sweep(tmp_path, *SEARCH, rates, "optimizer.max_grad_norm=null", "hydra.sweeper.n_trials=4")
    assert done.returncode == 0, done.stderr
    assert set(trials(tmp_path).values()) == {"FAIL", "COMPLETE"}
    results = [json.loads(file.read_text()) for file in tmp_path.glob("sweep/*/result.json")]
    assert {result["status"] for result in results} == {"done", "failed"}
    assert "best_value" in (tmp_path / "sweep" / "optimization_results.yaml").read_text()
