"""What a run leaves: files that other tools read, read here with the real ones."""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import math
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from pg_experiments.run.tracking.sentences import headline, job_line, status_line
from pg_experiments.support.errors import UserError
from pg_experiments.support.run_directory import RunDirectory
from tests.conftest import make_run, track, train_in
from tests.symptoms import texts


def events(directory: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(directory), size_guidance={"scalars": 0, "tensors": 0, "histograms": 0})
    accumulator.Reload()
    return accumulator


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run"
    overrides = ("num_seeds=2", "env.max_episodes=10", "baseline=value", "tracking.histograms_every=2")
    run = make_run(*overrides)
    tracker = track(run, path, *overrides)
    tracker.histograms_every = 2
    tracker.composition = dataclasses.replace(tracker.composition, overridden=frozenset({"baseline", "policy.hidden"}))
    run.execute(tracker)
    return path


def test_metrics_has_a_row_per_update_and_seed_that_starts_with_the_promised_columns(directory):
    found = rows(directory)
    promised = ["update", "seed", "env_steps", "episodes", "episodic_return", "episodic_length"]
    assert list(found[0])[:6] == promised
    assert [(row["update"], row["seed"]) for row in found] == [(str(u), str(s)) for u in range(5) for s in range(2)]
    for seed in "01":
        steps = [int(row["env_steps"]) for row in found if row["seed"] == seed]
        assert steps == sorted(steps)
        assert [row["episodes"] for row in found if row["seed"] == seed] == ["2", "4", "6", "8", "10"]


def test_the_scalars_are_the_mean_over_seeds_and_each_seed_has_its_own_run(directory):
    main, seeds = events(directory), [events(directory / f"seed_{seed}") for seed in range(2)]
    found = rows(directory)
    tags = {
        "charts/episodic_return", "charts/episodic_length", "time/SPS", "charts/learning_rate", "losses/policy_loss",
        "losses/value_loss", "losses/entropy", "losses/explained_variance", "gradients/policy_norm",
    }  # fmt: skip
    assert tags <= set(main.Tags()["scalars"])
    for update in range(5):
        pair = [row for row in found if row["update"] == str(update)]
        for seed in range(2):
            point = seeds[seed].Scalars("seeds/charts/episodic_return")[update]
            assert point.value == pytest.approx(float(pair[seed]["episodic_return"]))
            assert point.step == int(pair[seed]["env_steps"])
        mean = main.Scalars("charts/episodic_return")[update]
        assert mean.value == pytest.approx(sum(float(row["episodic_return"]) for row in pair) / 2)
        assert mean.step == round(sum(int(row["env_steps"]) for row in pair) / 2)


def test_histograms_of_weights_and_gradients_are_there(directory):
    tags = events(directory).Tags()["histograms"]
    for prefix in ("weights", "gradients"):
        assert f"{prefix}/policy.network.weights.0" in tags
        assert f"{prefix}/baseline.network.weights.0" in tags
    assert len(events(directory).Histograms("weights/policy.network.weights.0")) == 3


def test_of_a_gaussian_policy_its_deviations_and_an_entropy_below_zero_are_shown(tmp_path):
    overrides = ("env=pendulum", "policy.hidden=8", "policy.initial_std=0.1", "env.max_episodes=4")
    run = make_run(*overrides, "env.max_episode_steps=20")
    tracker = track(run, tmp_path / "run", *overrides)
    tracker.histograms_every = 1
    run.execute(tracker)
    shown = events(tmp_path / "run")
    assert {"weights/policy.network.log_std", "gradients/policy.network.log_std"} <= set(shown.Tags()["histograms"])
    entropies = [point.value for point in shown.Scalars("losses/entropy")]
    assert entropies == pytest.approx([float(row["entropy"]) for row in rows(tmp_path / "run")])
    assert entropies[0] == pytest.approx(math.log(0.1) + math.log(2 * math.pi * math.e) / 2, abs=1e-3)
    assert texts(tmp_path / "run") == {}, "a low differential entropy is no collapsed policy"


def test_hparams_are_in_the_runs_own_directory_with_the_final_metrics(directory):
    main = events(directory)
    start = metadata.parse_session_start_info_plugin_data(
        main.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    )
    assert start.hparams["policy.hidden"].number_value == 128
    assert start.hparams["baseline"].string_value == "value"
    assert start.hparams["policy.bias"].string_value == "true"
    experiment = metadata.parse_experiment_plugin_data(
        main.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    )
    columns = {info.name for info in experiment.hparam_infos}
    assert {"policy", "policy.hidden", "baseline.decay", "baseline.hidden", "optimizer.momentum"} <= columns
    assert {info.name for info in experiment.hparam_infos if info.differs} == {"baseline", "policy.hidden"}
    shown = {info.name.tag for info in experiment.metric_infos}
    assert {"final/return", "final/solved"} <= shown <= set(main.Tags()["scalars"]) | {"final/episodes_to_solve"}
    result = json.loads((directory / "result.json").read_text())
    assert main.Scalars("final/return")[0].value == pytest.approx(result["objective"])


def test_the_log_has_the_choices_and_the_closing_lines(directory):
    log = (directory / "train.log").read_text()
    assert "hidden=128" in log
    assert "tensorboard --logdir" in log
    handlers = logging.getLogger("pg_experiments").handlers
    assert not any(isinstance(handler, logging.FileHandler) for handler in handlers), "the log is closed with the run"


def test_a_directory_is_claimed_once_and_what_is_there_stays(tmp_path):
    train_in(tmp_path / "run", "env.max_episodes=2")
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    with pytest.raises(UserError, match="already holds a run"):
        train_in(tmp_path / "run", "env.max_episodes=2")
    assert before == {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}


def test_a_reader_of_the_result_sees_the_old_one_or_the_new_one_whole(tmp_path):
    directory = RunDirectory.claim(tmp_path)
    directory.write_result({"status": "running"})
    held = (tmp_path / "result.json").open()
    directory.write_result({"status": "done"})
    assert json.load(held) == {"status": "running"}
    assert json.loads((tmp_path / "result.json").read_text()) == {"status": "done"}
    assert [file.name for file in tmp_path.iterdir() if file.name != ".lock"] == ["result.json"]


def test_an_error_in_training_leaves_the_status_the_message_and_the_traceback(tmp_path):
    run = make_run("env.max_episodes=20")
    collect = run.collector.collect

    def break_down(update, active):
        if update == 3:
            raise RuntimeError("the pole fell off")
        return collect(update, active)

    run.collector.collect = break_down
    with pytest.raises(RuntimeError):
        run.execute(track(run, tmp_path / "run"))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["status"], result["error"]) == ("failed", "RuntimeError: the pole fell off")
    assert (result["updates"], result["episodes"]) == (3, 6)
    log = (tmp_path / "run" / "train.log").read_text()
    assert "Traceback" in log
    assert "break_down" in log
    assert len(rows(tmp_path / "run")) == 3, "what was learned before is kept"


def test_histograms_of_a_run_that_diverges_leave_out_what_is_not_finite(tmp_path):
    run = make_run("optimizer=sgd", "optimizer.learning_rate=1e30", "num_seeds=2")
    tracker = track(run, tmp_path / "run")
    tracker.histograms_every = 1
    with pytest.raises(FloatingPointError, match=r"seeds 0, 1 failed; .*; a lower optimizer\.learning_rate"):
        run.execute(tracker)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "failed"


def test_an_interrupted_run_says_so(tmp_path):
    run = make_run("env.max_episodes=20")

    def interrupt(update, active):
        raise KeyboardInterrupt

    run.collector.collect = interrupt
    with pytest.raises(KeyboardInterrupt):
        run.execute(track(run, tmp_path / "run"))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["status"], result["objective"]) == ("interrupted", None)


def test_the_status_line_tells_episodes_return_speed_and_time_left():
    line = status_line(episodes=120, limit=500, mean_return=193.21, speed=123456.7, left_s=75)
    assert line == "episodes 120/500  return 193.2  123,457 steps/s  1:15 left"
    assert len(line + "  solved 31/32") <= 72, "there is room for a bar in 80 columns"
    assert status_line(episodes=120, limit=None, mean_return=1, speed=None, left_s=3661) == (
        "episodes 120  return 1.0  1:01:01 left"
    )


def test_before_the_first_episode_ends_the_status_line_says_so_instead_of_a_return():
    line = status_line(episodes=0, limit=None, mean_return=math.nan, speed=1000, left_s=None)
    assert line == "no episode yet  1,000 steps/s  ? left"


def test_the_line_of_a_job_has_no_return_without_an_episode_and_names_failed_seeds():
    nothing = {
        "objective": None,
        "objective_std": None,
        "wall_time_s": 7.4,
        "error": None,
        "seeds": [seed(0, None, 0.0)],
    }
    assert job_line(nothing) == "solved 0/1  no episode yet  0:07"
    failed = {**nothing, "objective": 4.25, "objective_std": 1.0, "error": "seed 1 stopped at update 3: …"}
    assert job_line(failed) == "solved 0/1  final return 4.2 ± 1.0  0:07  failed: seed 1 stopped at update 3: …"


def seed(number: int, solved: int | None, final: float) -> dict:
    return {"seed": number, "solved": solved is not None, "episodes_to_solve": solved, "final_return": final}


def test_the_headline_says_who_was_solved_after_how_many_episodes():
    one = {"episodes": 268, "seeds": [seed(0, 268, 480.0)]}
    assert headline(one, 475, 25) == "Solved after 268 episodes: the mean of the last 25 returns reached 475."
    none = {"episodes": 500, "seeds": [seed(0, None, 80.0)]}
    assert headline(none, 475, 25) == "Not solved in 500 episodes; mean of the last 25 returns: 80.0."
    several = {"episodes": 900, "seeds": [seed(0, 300, 480.0), seed(1, 100, 490.0), seed(2, None, 110.0)]}
    assert headline(several, 475, 25).startswith(
        "Solved by 2 of 3 seeds, after 200 episodes in the median (100 to 300)"
    )


def test_the_result_is_running_while_the_run_is(tmp_path):
    run = make_run("env.max_episodes=4")
    seen = []
    collect = run.collector.collect

    def look(update, active):
        seen.append(json.loads((tmp_path / "run" / "result.json").read_text())["status"])
        return collect(update, active)

    run.collector.collect = look
    started = time.monotonic()
    run.execute(track(run, tmp_path / "run"))
    assert seen == ["running", "running"]
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert 0 < result["wall_time_s"] <= time.monotonic() - started
