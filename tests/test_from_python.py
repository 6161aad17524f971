"""From Python the same is composed, trained and said as by the commands, with the same files."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

import pg_experiments
from pg_experiments import Config, LoadedRun, Update, UserError
from pg_experiments.app.python_values import text_of
from tests.sweeps import TINY

SMALL = {"env": {"max_episodes": 20, "window": 4}, "policy.hidden": 4, "device": "cpu", "num_seeds": 2}
AS_TEXTS = ("env.max_episodes=20", "env.window=4", "policy.hidden=4", "device=cpu", "num_seeds=2")


def rows(run: Path) -> list[str]:
    """`metrics.csv` without the time."""
    return [line.rpartition(",")[0] for line in (run / "metrics.csv").read_text().splitlines()]


def status(run: Path) -> str:
    return str(json.loads((run / "result.json").read_text())["status"])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> LoadedRun:
    return pg_experiments.train(SMALL, directory=tmp_path_factory.mktemp("run") / "run", progress=False)


def test_texts_mappings_and_configs_compose_the_same():
    config = pg_experiments.compose(*AS_TEXTS)
    assert config.values == pg_experiments.compose(SMALL).values == pg_experiments.compose(config).values
    assert yaml.safe_load(str(config)) == config.values
    assert (config["env.max_episodes"], config.run.env.max_episodes, config.run.seeds) == (20, 20, [0, 1])
    assert config.choices["policy"] == "mlp"
    assert eval(repr(config)).values == config.values
    assert pg_experiments.compose(config, "num_seeds=3").run.num_seeds == 3


TEXTS = ("a", "true", "Null", "3", "1e3", "", "a b", "it's", "x\\", "x\\'y", "a,b", "[x]", "{a: b}", "a=b", "ä", "$x")
OTHERS = (0, -2, 1e-5, 1e300, math.inf, True, False, None, [], [1, 2.5, "a b", None], [[1], ["x"]])
MAPPINGS = ({}, {"A": "it's", "B_2": [1]}, {"a": {"b": None}})


@pytest.mark.parametrize("value", [*TEXTS, *OTHERS, *MAPPINGS])
def test_a_value_arrives_as_it_was_given(value):
    read = OverridesParser.create().parse_override(f"key={text_of(value)}").value()
    assert read == value
    assert type(read) is type(value)


def test_values_of_numpy_and_paths_are_taken():
    given = [np.float64(0.5), np.int64(3), np.bool_(True), np.array([1, 2]), Path("a/b"), (1, 2), range(2)]
    assert list(map(text_of, given)) == ["0.5", "3", "true", "[1,2]", "a/b", "[1,2]", "[0,1]"]


MISTAKES = [
    *("policy.hiden=3", "policy.dropout=2", "env=cartpol", "polcy=mlp", "foo", "num_seeds=", "policy.hidden=2,3"),
    *("a={", "b=\x01", "policy.head=bernoulli env=acrobot"),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_the_line_of_the_command(train_here, mistake):
    overrides = mistake.split(" ")
    with pytest.raises(UserError) as caught:
        pg_experiments.train(*overrides)
    assert not Path("outputs").exists()
    assert train_here(*overrides).err == f"error: {caught.value}\n"


def test_what_is_for_the_commands_or_of_another_type_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"hydra\.run\.dir=x: is for the commands; from Python, directory=DIR says"):
        pg_experiments.train("hydra.run.dir=x")
    with pytest.raises(TypeError, match=r"3: expected an override as 'key=value', a mapping, or what compose returns"):
        pg_experiments.compose(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a number, a text, .* a list, or a mapping from names"):
        pg_experiments.compose({"num_seeds": object()})
    with pytest.raises(UserError, match=r"env\.treshold: no such key; did you mean env\.threshold\?"):
        pg_experiments.compose()["env.treshold"]
    with pytest.raises(UserError, match="directory=: expected a directory"):
        pg_experiments.train(SMALL, directory="")


def test_a_mistake_names_what_a_caller_from_python_can_do(run):
    with pytest.raises(UserError, match=r"several values are a sweep; .*\(from Python: pg_experiments\.sweep\)"):
        pg_experiments.train("policy.hidden=4,8")
    with pytest.raises(UserError, match=r"choose another hydra.*\(from Python: directory\)"):
        pg_experiments.train(SMALL, directory=run.path)
    with pytest.raises(UserError, match=r"^plugin \./nothing\.py: not found"):
        pg_experiments.load_plugin("./nothing.py")


def test_a_run_has_the_files_and_the_bits_of_the_command(train_here, tmp_path, capsys):
    assert train_here(*AS_TEXTS, "hydra.run.dir=command").code == 0
    run = pg_experiments.train(*AS_TEXTS, directory="python")
    assert "Solved by" in capsys.readouterr().out
    there, here = Path("command"), Path("python")
    assert run.path == tmp_path / here
    assert rows(here) == rows(there)
    names = [{str(f.relative_to(d)) for f in d.rglob("*") if "tfevents" not in f.name} for d in (there, here)]
    assert names[0] == names[1]
    for name in ("config.yaml", "overrides.yaml"):
        assert (here / ".hydra" / name).read_bytes() == (there / ".hydra" / name).read_bytes()
    records = [yaml.safe_load((d / ".hydra" / "hydra.yaml").read_text())["hydra"] for d in (there, here)]
    assert records[0]["runtime"]["choices"] == records[1]["runtime"]["choices"]
    assert train_here("resume=python", "env.max_episodes=24").code == 0, "the command resumes it"


def test_a_new_directory_is_below_outputs_and_none_is_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [pg_experiments.train(*TINY, progress=False) for _ in range(2)]
    assert len({run.path for run in runs}) == 2
    assert all(run.path.is_relative_to(tmp_path / "outputs") for run in runs)
    with pytest.raises(UserError, match="already holds a run, and a run is never overwritten"):
        pg_experiments.train(*TINY, directory=runs[0].path)


def test_a_callback_sees_each_update_and_nothing_is_printed_when_quiet(run, tmp_path, capfd):
    updates: list[Update] = []
    again = pg_experiments.train(SMALL, directory=tmp_path / "run", progress=False, callback=updates.append)
    assert capfd.readouterr() == ("", "")
    metrics = again.metrics()
    assert [update.update for update in updates] == metrics["update"].tolist()
    for row, update in enumerate(updates):
        assert (update.path, update.seeds.tolist()) == (again.path, [0, 1])
        assert np.array_equal(update.env_steps, metrics["env_steps"][row])
        assert np.array_equal(update.episodes, metrics["episodes"][row])
        for name, values in update.metrics.items():
            assert np.array_equal(values.astype(float), metrics[name][row], equal_nan=True)
    assert rows(again.path) == rows(run.path), "a callback changes no bit"


def test_a_callback_stops_a_run_which_is_resumed_in_the_same_bits(run, tmp_path):
    stopped = pg_experiments.train(
        SMALL, directory=tmp_path / "run", progress=False, callback=lambda update: np.bool_(update.update == 3)
    )
    assert (status(stopped.path), len(stopped.metrics()["update"])) == ("interrupted", 4)
    seen: list[int] = []
    resumed = pg_experiments.resume(
        stopped.path, progress=False, callback=lambda update: seen.append(update.update) or len(seen)
    )
    assert seen == list(range(4, 10)), "an answer other than True stops nothing"
    assert status(resumed.path) == "done"
    assert rows(resumed.path) == rows(run.path)


def test_an_exception_of_a_callback_is_raised_and_the_run_can_be_resumed(run, tmp_path):
    def pruned(update: Update) -> None:
        if update.update == 5:
            raise RuntimeError("pruned")

    where = tmp_path / "run"
    with pytest.raises(RuntimeError, match="pruned"):
        pg_experiments.train(SMALL, "checkpoint.every_updates=2", directory=where, progress=False, callback=pruned)
    assert status(where) == "failed"
    assert rows(pg_experiments.resume(where, progress=False).path) == rows(run.path)


def test_resuming_takes_a_longer_limit_and_refuses_another_run(run, tmp_path):
    where = tmp_path / "run"
    pg_experiments.train(SMALL, {"env.max_episodes": 10}, directory=where, progress=False)
    assert rows(pg_experiments.resume(where, {"env.max_episodes": 20}, progress=False).path) == rows(run.path)
    with pytest.raises(UserError, match=r"policy\.hidden: with resume= it cannot change"):
        pg_experiments.resume(where, "policy.hidden=8")
    with pytest.raises(UserError, match="no run is there"):
        pg_experiments.resume(tmp_path / "nowhere")


GRID = {"policy.hidden": [4, 8], "baseline": ["none", "moving_average"]}


def test_a_sweep_has_the_directories_of_the_command_and_continues_one(train_here, tmp_path):
    seen: list[Update] = []
    given = ("env.max_episodes=8", "device=cpu", {"policy": {"hidden": 16}})  # the grid takes precedence
    runs = pg_experiments.sweep(GRID, *given, directory="python", progress=False, callback=seen.append)
    command = ("-m", "policy.hidden=4,8", "baseline=none,moving_average", "env.max_episodes=8", "device=cpu")
    assert train_here(*command, "hydra.sweep.dir=command").code == 0
    jobs = [sorted(path.name for path in Path(d).iterdir() if path.is_dir()) for d in ("python", "command")]
    assert jobs[0] == jobs[1]
    assert [run.path.name for run in runs] == jobs[0][1:]  # without the index, `.jobs`
    assert all(rows(run.path) == rows(Path("command") / run.path.name) for run in runs)
    assert [run.config.baseline.__class__.__name__ for run in runs] == ["NoBaselineOption", "MovingAverageOption"] * 2
    assert {update.path for update in seen} == {run.path for run in runs}
    seen.clear()
    again = pg_experiments.sweep(GRID, *given, directory="command", progress=False, callback=seen.append)
    assert (len(again), seen) == (4, []), "all were done"
    assert train_here(*command, "hydra.sweep.dir=python").out.count("done before") == 4
    with pytest.raises(UserError, match="this job ran with another configuration"):
        pg_experiments.sweep(GRID, *given, "optimizer=sgd", directory="python", progress=False)


def test_a_sweep_checks_all_jobs_before_the_first_one_and_trains_the_others_of_a_failed_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"policy\.dropout=1: expected a number at least 0 and below 1"):
        pg_experiments.sweep({"policy.dropout": [0, 1]}, *TINY, directory="s", progress=False)
    assert not (tmp_path / "s").exists()
    for grid, message in (({}, "expected at least one key"), ({"seed": []}, "seed=: has no values")):
        with pytest.raises(UserError, match=message):
            pg_experiments.sweep(grid)
    with pytest.raises(TypeError, match=r"seed=3: expected a list of the values to compare, as \[3\]"):
        pg_experiments.sweep({"seed": 3})

    def broken(update: Update) -> None:
        if "seed=0" in update.path.name:
            raise RuntimeError("broken")

    with pytest.raises(UserError, match=r"1 of 2 jobs are not done \(0_seed=0: RuntimeError: broken.*directory='.*s'"):
        pg_experiments.sweep({"seed": [0, 1]}, *TINY, directory="s", progress=False, callback=broken)
    assert (status(tmp_path / "s" / "0_seed=0"), status(tmp_path / "s" / "1_seed=1")) == ("failed", "done")
    runs = pg_experiments.sweep({"seed": [0, 1]}, *TINY, directory="s", progress=False)
    assert [run.seed for run in runs] == [0, 1]


def test_a_stopped_job_ends_no_sweep(tmp_path):
    def prune(update: Update) -> bool:
        return update.update == 0 and "seed=0" in update.path.name

    runs = pg_experiments.sweep({"seed": [0, 1]}, *TINY, directory=tmp_path / "s", progress=False, callback=prune)
    assert [status(run.path) for run in runs] == ["interrupted", "done"]


def test_runs_directories_and_sweeps_are_compared_as_objects(tmp_path):
    runs = pg_experiments.sweep({"seed": [0, 8]}, *TINY, "num_seeds=4", directory=tmp_path / "s", progress=False)
    comparison = pg_experiments.compare(tmp_path / "s")
    assert isinstance(comparison, pg_experiments.Comparison)
    assert comparison.headline == pg_experiments.compare(runs).headline
    assert pg_experiments.compare([runs[0].path]).configurations.rows[0].seeds == 4
    assert {"curves", "to_threshold"} <= set(comparison.figures())
    with pytest.raises(UserError, match="holds no run"):
        pg_experiments.compare([tmp_path / "s" / ".jobs"])


def test_the_objects_can_be_annotated_and_other_names_do_not_exist():
    assert isinstance(pg_experiments.compose(), Config)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        pg_experiments.trian  # noqa: B018


def test_metrics_are_by_update_and_seed_also_where_a_seed_has_stopped(tmp_path):
    where = tmp_path / "run"
    run = pg_experiments.train(SMALL, "seed=3", "env.threshold=30", "num_seeds=4", directory=where, progress=False)
    metrics = run.metrics()
    written = [dict(zip(*pair, strict=True)) for pair in _csv(where)]
    assert metrics["seed"].tolist() == run.seeds == [3, 4, 5, 6]
    assert len(written) < metrics["mean_return"].size, "a seed has stopped before the others"
    for name, values in metrics.items():
        if name not in ("update", "seed"):
            expected = np.full((len(metrics["update"]), 4), np.nan)
            for row in written:
                expected[int(row["update"]), int(row["seed"]) - 3] = float(row[name] or "nan")
            assert values.shape == expected.shape
            assert np.array_equal(values, expected, equal_nan=True)
    frame = run.frame()
    assert frame.columns.tolist() == list(written[0])
    assert frame["mean_return"].tolist() == [float(row["mean_return"]) for row in written]
    assert (frame["seed"].dtype, frame["entropy"].dtype) == (np.int64, np.float64)


def _csv(run: Path) -> list[tuple[list[str], list[str]]]:
    header, *lines = (line.split(",") for line in (run / "metrics.csv").read_text().splitlines())
    return [(header, line) for line in lines]


DAMAGE = [
    (lambda text: text.replace("update,", "updote,", 1), "has no columns update and seed"),
    (lambda text: text + "1,2\n", "row .* has 2 cells"),
    (lambda text: text + text.splitlines()[-1] + "\n", "an update of a seed is there twice"),
    (lambda text: text.replace("\n0,0,", "\n0,7,", 1), "a row is of none of the run's seeds"),
    (lambda text: text.replace("\n0,0,", "\n0,x,", 1), "seed=x: expected a whole number"),
    (lambda text: text.replace("\n0,0,", "\n,0,", 1), "or of no update"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_damaged_metrics_are_one_line_that_names_the_file(run, damage, message, monkeypatch):
    file = run.path / "metrics.csv"
    text = file.read_text()
    try:
        file.write_text(damage(text))
        with pytest.raises(pg_experiments.FileError, match=rf"metrics\.csv: .*{message}"):
            run.metrics()
    finally:
        file.write_text(text)


def test_without_pandas_a_frame_is_one_clear_error(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="frame: needs pandas: pip install pandas"):
        run.frame()


def test_probabilities_are_those_that_sampling_and_the_greedy_choice_follow(run):
    observations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    probabilities = run.probabilities(observations)
    assert (probabilities.shape, probabilities.dtype) == ((50, 2), np.float32)
    assert np.allclose(probabilities.sum(1), 1)
    assert np.array_equal(probabilities.argmax(1), run.policy(observations))
    assert np.allclose(run.probabilities(observations[3]), probabilities[3])
    with pytest.raises(ValueError, match=r"observation of shape \(3,\): expected \(4,\)"):
        run.probabilities(np.zeros(3))
