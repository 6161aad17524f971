"""A run that was interrupted or killed is gone on with by one word, and ends as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pg_experiments.app.resume import resume
from pg_experiments.run.checkpoint import newest
from pg_experiments.support.errors import UserError
from pg_experiments.support.interruption import Interrupted
from tests.conftest import make_run, track
from tests.in_process import run_command
from tests.sweeps import LONG, begin, end, process_of, wait_for
from tests.torture import Result, torture

TRAIN = (sys.executable, "-m", "pg_experiments.train")
SHORT = ("env.max_episodes=60", "env.threshold=inf", "policy.hidden=8", "device=cpu", "checkpoint.every_updates=5")


def interrupt(directory: Path, number: signal.Signals, *overrides: str) -> tuple[int, str]:
    """Begin a long run there, send it a signal while it trains, and wait for its end: exit code and stderr."""
    process = subprocess.Popen(
        [*TRAIN, *LONG, f"hydra.run.dir={directory}", *overrides],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: (directory / "metrics.csv").exists() and len((directory / "metrics.csv").read_text()) > 2000)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, err


def result(directory: Path) -> dict:
    return json.loads((directory / "result.json").read_text())


def curve(directory: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard reads of a run's directory."""
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0}).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def killed_at_random_moments(folder: Path, kills: int, *cases: str) -> None:
    done, differs = torture(folder, kills=kills, seed=1, cases=cases)
    assert done >= kills
    assert {name: parts for name, parts in differs.items() if parts} == {}


@pytest.mark.slow
def test_runs_that_are_killed_at_random_moments_end_in_the_same_bits(tmp_path):
    """What each kind of run keeps in a checkpoint is tested without kills, in tests/test_checkpoint.py."""
    killed_at_random_moments(tmp_path, 6, "pong_seeds", "gru", "sac")


@pytest.mark.by_hand
def test_so_do_more_kinds_of_runs(tmp_path):
    killed_at_random_moments(tmp_path, 10, "cartpole_seeds", "pong_seeds", "running", "gru", "sac")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_finishes_its_update_saves_itself_and_exits_with_the_signals_number(
    tmp_path, train_here, number
):
    run = tmp_path / "run"
    code, err = interrupt(run, number)
    assert code == 128 + number
    assert err.strip() == "interrupted: finishing this update and saving; once more stops at once"
    assert result(run)["status"] == "interrupted"
    state = newest(run)
    assert state is not None
    assert state["update"] == result(run)["updates"] == int(Result(run).rows[-1]["update"]) + 1
    episodes = state["update"] * 2 + 20
    again = train_here("resume=run", f"env.max_episodes={episodes}")
    assert again.code == 0, again.err
    assert f"env.max_episodes: 1000000 → {episodes}" in again.out
    assert f"resumes after update {state['update']}: run" in again.out
    straight = train_here(*LONG, f"env.max_episodes={episodes}", "hydra.run.dir=straight")
    assert straight.code == 0
    differs = Result(run).differs_from(Result(tmp_path / "straight"))
    assert set(differs) <= {"checkpoint.config.env.max_episodes"}


def test_an_interrupted_run_saves_itself_though_whoever_read_along_has_gone_before(tmp_path):
    run = tmp_path / "run"
    process = subprocess.Popen(
        [*TRAIN, *LONG, "tracking.plain_every_seconds=1e-3", f"hydra.run.dir={run}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        wait_for(lambda: (run / "metrics.csv").exists() and len((run / "metrics.csv").read_text()) > 2000)
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
    state = newest(run)
    assert state is not None
    assert (result(run)["status"], result(run)["updates"]) == ("interrupted", state["update"])


def test_a_signal_during_the_last_update_leaves_a_run_that_is_done_and_still_ends_its_sweep(tmp_path):
    run = make_run("env.max_episodes=2")
    learn = run.learn

    def signalled(*arguments):
        signal.raise_signal(signal.SIGTERM)
        return learn(*arguments)

    run.learn = signalled
    with pytest.raises(Interrupted) as interrupted:
        run.execute(track(run, tmp_path))
    assert interrupted.value.signal_number == signal.SIGTERM
    assert result(tmp_path)["status"] == "done"


def test_csv_and_tensorboard_go_on_without_a_gap_or_a_double_row(tmp_path, train_here):
    interrupt(tmp_path / "run", signal.SIGKILL, "num_seeds=2", "checkpoint.every_updates=3")
    assert result(tmp_path / "run")["status"] == "running"
    rows = len(Result(tmp_path / "run").rows)
    episodes = 2 * rows
    assert train_here("resume=run", f"env.max_episodes={episodes}").code == 0
    assert train_here(*LONG, "num_seeds=2", f"env.max_episodes={episodes}", "hydra.run.dir=straight").code == 0
    assert Result(tmp_path / "run").rows == Result(tmp_path / "straight").rows
    seeds = (("seed_0", "seeds/losses/policy_loss"), ("seed_1", "seeds/charts/mean_return"))
    for part, tag in ((".", "charts/mean_return"), *seeds):
        read = curve(tmp_path / "run" / part, tag)
        assert read == curve(tmp_path / "straight" / part, tag)
        assert len({step for step, _ in read}) == len(read)
    assert len(curve(tmp_path / "run", "final/return")) == 1


def test_the_latest_run_is_gone_on_with_and_one_that_is_done_says_so(tmp_path, train_here):
    assert "no run is below outputs or multirun" in train_here("resume=latest").err
    assert train_here(*SHORT).code == 0
    done = train_here("resume=latest")
    assert done.code == 0
    assert "is done; a longer limit, as env.max_episodes=120, continues it" in done.out
    longer = train_here("resume=latest", "env.max_episodes=80")
    assert longer.code == 0
    (run,) = (tmp_path / "outputs").glob("*/*/")
    assert len(Result(run).rows) == 40
    assert yaml.safe_load((run / ".hydra" / "config.yaml").read_text())["env"]["max_episodes"] == 80
    assert len(list(run.glob("events.out.tfevents.*"))) == 2


def test_a_seed_that_was_solved_goes_on_to_a_higher_threshold(tmp_path, train_here):
    assert train_here(*SHORT, "env.threshold=10", "num_seeds=2", "hydra.run.dir=run").code == 0
    higher = "a higher env.threshold (it is 10) continues it"
    assert f"run is done; it was solved; {higher}" in train_here("resume=run").out
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    longer = train_here("resume=run", "env.max_episodes=5000")
    nothing = f"run is solved by every seed, so a longer limit leaves nothing to do; {higher}\n"
    assert (longer.code, longer.out, longer.err) == (0, nothing, "")
    assert {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()} == before
    assert [seed["episodes_to_solve"] for seed in result(tmp_path / "run")["seeds"]] == [25, 25]
    assert train_here("resume=run", "env.threshold=1000").code == 0
    assert [seed["solved"] for seed in result(tmp_path / "run")["seeds"]] == [False, False]
    assert result(tmp_path / "run")["episodes"] == 120


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path, train_here):
    interrupt(tmp_path / "run", signal.SIGKILL)
    assert newest(tmp_path / "run") is None
    assert train_here("resume=run", "env.max_episodes=60").code == 0
    assert train_here(*LONG, "env.max_episodes=60", "hydra.run.dir=straight").code == 0
    assert Result(tmp_path / "run").differs_from(Result(tmp_path / "straight")) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that is done, for all to copy."""
    run = tmp_path_factory.mktemp("trained") / "run"
    assert run_command("train", *SHORT, f"hydra.run.dir={run}").code == 0
    return run


@pytest.fixture
def run(tmp_path: Path, trained: Path) -> Path:
    """A small run that is done."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["resume=runn"], "resume=runn: no run is there (it would have a .hydra/config.yaml); did you mean run?"),
        (["resume=run", "policy.hidden=16"], "policy.hidden: with resume= it cannot change, it would be another run"),
        (["resume=run", "env.max_episode=90"], "did you mean env.max_episodes?"),
        (["resume=run", "env.max_episodes=many"], "env.max_episodes=many: expected a whole number at least 1 or null"),
        (["resume=run", "env.max_episodes=90,120"], "env.max_episodes=90,120: with resume= expected key=value"),
        (["resume=run", "+env.more=1"], "+env.more=1: with resume= expected key=value"),
        (["resume=run", "env.max_episodes=90", "more"], "more: not an override; expected key=value"),
        (["resume="], "resume=: no run is there"),
        (
            ["resume=."],
            "resume=.: no run is there (it would have a .hydra/config.yaml); of a sweep's jobs each is a run",
        ),
        (["resume=run/checkpoints"], "resume=run/checkpoints: no run is there (it would have a .hydra/config.yaml)\n"),
        (["-m", "resume=run", "seed=0,1"], "resume=run: for one run; a sweep is resumed by its own command"),
        (["--cfg", "job", "resume=run"], "resume=run: takes the run's saved configuration and trains; not with --cfg"),
        (["preview=true", "resume=run"], "not with preview=true"),
    ],
)
def test_what_cannot_be_resumed_is_said_in_a_line_and_changes_nothing(run, train_here, arguments, line):
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    done = train_here(*arguments)
    assert done.code == 1
    assert line in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("missing", "episodes", "line"),
    [
        ("nothing", 40, "env.max_episodes=40: the run has come to 60 already; the nearest is 60"),
        ("checkpoints", 90, "run: is done, and its checkpoints are gone; what it has recorded stays as it is"),
        ("metrics.csv", 90, "run/metrics.csv: expected at least"),
    ],
)
def test_a_run_that_is_done_and_cannot_be_gone_on_with_stays_as_it_is(run, monkeypatch, missing, episodes, line):
    if missing != "nothing":
        (run / missing).rename(run.parent / missing)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    monkeypatch.chdir(run.parent)
    with pytest.raises(UserError, match=line):
        resume("run", OverridesParser.create().parse_overrides([f"env.max_episodes={episodes}"]))
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    (run / "result.json").write_text('{"sta')
    with pytest.raises(UserError, match=r"run/result.json: is damaged"):
        resume("run", [])


def test_a_checkpoint_of_another_configuration_is_refused_with_the_keys_that_differ(run, train_here):
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    config["policy"]["hidden"], config["optimizer"]["learning_rate"] = 16, 0.5
    (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    done = train_here("resume=run", "env.max_episodes=90")
    assert done.code == 1
    assert "another configuration (policy.hidden was 8, is 16; optimizer.learning_rate was 0.01, is 0.5)" in done.err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: !!python/object/apply:os.system ['touch proof']", "is no plain YAML"),
        ("_target_: os.system\ncommand: touch proof", "env=null: expected a group of keys"),
        ("env: ${oc.env:HOME}", "env=${oc.env:HOME}: expected a group of keys"),
        ("[1, 2]", "expected a group of keys"),
        ("env: {", "is no plain YAML"),
    ],
)
def test_a_malicious_or_broken_config_executes_nothing_and_looks_nothing_up(run, train_here, tmp_path, text, line):
    (run / ".hydra" / "config.yaml").write_text(text)
    (run / "result.json").write_text(json.dumps(result(run) | {"status": "interrupted"}))
    done = train_here("resume=run")
    assert done.code == 1
    assert line in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "proof").exists()


def test_a_sweeps_interrupted_job_goes_on_from_its_checkpoint_by_the_same_command(tmp_path, train_here):
    overrides = ("seed=0,1", *LONG, "env.max_episodes=300", "checkpoint.every_updates=5")
    process = begin(tmp_path, *overrides)
    job = tmp_path / "sweep" / "0_seed=0"
    try:
        wait_for(lambda: list(job.glob("checkpoints/*.pt")))
        process_of(job)
    finally:
        end(process)
    saved = newest(job)
    assert saved is not None
    done = train_here("-m", "hydra.sweep.dir=sweep", *overrides)
    assert done.code == 0, done.err
    assert f"resumes after update {saved['update']}: sweep/0_seed=0" in done.out
    assert train_here("-m", "hydra.sweep.dir=other", *overrides).code == 0
    for name in ("0_seed=0", "1_seed=1"):
        assert Result(tmp_path / "sweep" / name).differs_from(Result(tmp_path / "other" / name)) == []
