"""A row of several updates loses no episode, and has the means of what its updates have."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pg_experiments.run.tracking.metrics import UpdateRecord
from pg_experiments.run.tracking.rows import Rows
from tests.conftest import composed, make_run, track, train_in
from tests.test_record import events

RUN = (
    *("algorithm=a2c", "num_seeds=2", "env.max_episodes=null", "env.max_steps=600", "collect.num_envs=3"),
    *("collect.num_steps=10", "policy.hidden=8", "baseline.hidden=8", "env.max_episode_steps=17", "env.threshold=inf"),
)


def table(directory: Path, seed: int) -> dict[str, np.ndarray]:
    """The rows of a seed: column -> [U]; NaN for an empty cell."""
    with (directory / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["seed"] == str(seed)]
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """The same run with a row per update, and with one per 150 steps, which is five updates."""
    path = tmp_path_factory.mktemp("rows")
    train_in(path / "each", *RUN, "tracking.every_steps=0")
    train_in(path / "some", *RUN, "tracking.every_steps=150")
    return path / "each", path / "some"


def test_a_row_is_due_when_a_seed_has_made_that_many_steps(runs):
    each, some = (table(run, seed=1) for run in runs)
    assert len(each["env_steps"]) == 20
    assert some["env_steps"].tolist() == [150, 300, 450, 600]
    assert some["update"].tolist() == [4, 9, 14, 19]


def test_every_episode_counts_once_in_the_mean_of_its_row(runs):
    for seed in (0, 1):
        totals = []
        for rows in (table(run, seed) for run in runs):
            finished = np.diff(rows["episodes"], prepend=0)
            assert finished[-1] > 0
            for name in ("episodic_return", "episodic_length"):
                totals.append(np.nansum(rows[name] * finished))
        assert totals[:2] == pytest.approx(totals[2:])


def test_metrics_are_the_mean_over_the_updates_and_the_mean_return_is_the_last(runs):
    each, some = (table(run, seed=0) for run in runs)
    for name in ("policy_loss", "entropy", "value_loss", "policy_gradient_norm", "learning_rate"):
        assert some[name] == pytest.approx(each[name].reshape(4, 5).mean(1)), name
    assert some["mean_return"].tolist() == each["mean_return"][4::5].tolist()


def test_tensorboard_has_a_point_per_row(runs):
    assert [point.step for point in events(runs[1]).Scalars("losses/entropy")] == [150, 300, 450, 600]


def record(update: int, steps: list[int], entropy: list[float], learners: tuple[int, ...] = (0, 1)) -> UpdateRecord:
    counts = np.array(steps)
    values = {"entropy": np.array(entropy), "episodic_return": np.full(len(steps), np.nan)}
    return UpdateRecord(update, np.array(learners), counts, counts, np.zeros_like(counts), values, 0.0)


def test_a_seed_that_stops_has_its_row_at_its_last_update():
    rows = Rows(2, every_steps=100)
    assert rows.add(record(0, [10, 40], [1, 2]), active=2) == []
    (row,) = rows.add(record(1, [20, 80], [3, 4]), active=1)
    assert row.env_steps.tolist() == [20, 80]
    assert row.values["entropy"].tolist() == [2, 3]
    assert rows.add(record(2, [90], [9], learners=(0,)), active=1) == [], "70 of its own steps since its row"
    (row,) = rows.add(record(3, [120], [9], learners=(0,)), active=1)
    assert row.update == 3


def test_a_mean_leaves_out_updates_without_a_value_and_is_none_where_all_are_without():
    rows = Rows(2, every_steps=100)
    rows.add(record(0, [50, 50], [1, np.nan]), active=2)
    (row,) = rows.add(record(1, [100, 100], [np.nan, np.nan]), active=2)
    assert row.values["entropy"][0] == 1
    assert np.isnan(row.values["entropy"][1])
    assert np.isnan(row.values["episodic_return"]).all()


def test_updates_of_other_seeds_after_a_resume_have_a_row_of_their_own():
    rows = Rows(2, every_steps=100)
    rows.add(record(0, [10], [1], learners=(1,)), active=1)
    (row,) = rows.add(record(1, [10, 20], [5, 7]), active=2)
    assert (row.learners.tolist(), row.values["entropy"].tolist()) == ([1], [1])
    assert [row.learners.tolist() for row in rows.take()] == [[0, 1]]


def test_updates_of_other_seeds_after_a_resume_count_their_own_steps():
    rows = Rows(2, every_steps=100)
    assert rows.add(record(0, [500], [1], learners=(1,)), active=1) != []
    assert rows.add(record(1, [540], [1], learners=(1,)), active=1) == []


def test_a_checkpoint_has_the_updates_that_wait_for_a_row():
    rows, again = Rows(2, every_steps=100), Rows(2, every_steps=100)
    rows.add(record(0, [100, 90], [1, 2]), active=2)
    rows.add(record(1, [150, 140], [1, 2]), active=2)
    again.restore(rows.state())
    assert again.add(record(2, [190, 180], [5, 3]), active=2) == []
    (row,) = again.take()
    assert (row.values["entropy"] == [3, 2.5]).all()


def test_what_waits_for_a_row_at_the_end_of_a_run_is_written(tmp_path):
    run = make_run(*RUN, "tracking.every_steps=150")
    tracker = track(run, tmp_path, *RUN)
    with tracker.running():
        for _ in range(2):
            active = run.accounts.active
            rollout = run.collector.collect(run.updates, active)
            run.record(tracker, active, rollout, run.learn(rollout, active).metrics)
    assert table(tmp_path, seed=0)["env_steps"].tolist() == [60]


def test_a2c_has_a_row_per_thousand_steps_unless_told_otherwise():
    assert composed("algorithm=a2c")["tracking"]["every_steps"] == 1000
    assert composed("algorithm=a3c", "tracking.every_steps=0")["tracking"]["every_steps"] == 0
    assert composed("algorithm=ppo")["tracking"]["every_steps"] == composed()["tracking"]["every_steps"] == 0
