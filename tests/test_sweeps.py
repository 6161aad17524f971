"""A sweep survives its jobs, and the same command goes on where the last one stopped."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from pg_experiments.support.run_directory import RunDirectory, state
from tests.conftest import a_process

TINY = ("env.max_episodes=4", "device=cpu", "hydra.sweep.dir=mine")
SWEEP = ("-m", "policy.hidden=4,8", "seed=0,1", *TINY)
KILLED = """
import os, signal, sys
from pg_experiments.train import __main__ as train
from tests.test_sweeps import SWEEP, sabotaged

sys.argv = ["train", *SWEEP]
with sabotaged(lambda: os.kill(os.getpid(), signal.SIGKILL)):
    train.main()
"""


def sabotaged(deed: Callable[[], object]) -> AbstractContextManager[object]:
    """Something happens after the first update of a job of 8 hidden units and seed 0."""
    learn = Run.learn

    def learn_and_more(run: Run, *arguments: Any) -> object:
        if run.config.policy.hidden == 8 and run.config.seeds == [0] and run.accounts.seeds[0].episodes:
            deed()
        return learn(run, *arguments)

    return patch.object(Run, "learn", learn_and_more)


def states(sweep: Path) -> dict[str, str]:
    return {job.name: state(job) for job in sorted(sweep.glob("[0-9]*"))}


def files(sweep: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sweep.rglob("*") if file.is_file()}


def fall_off() -> None:
    raise ZeroDivisionError("the pole fell off")


ENDS = {
    "an error": (fall_off, "ZeroDivisionError: the pole fell off"),
    "sys.exit": (lambda: sys.exit(3), "SystemExit: 3"),
}


@pytest.mark.parametrize(("deed", "why"), ENDS.values(), ids=ENDS.keys())
def test_a_failing_job_does_not_stop_the_others_and_the_same_command_tries_it_again(deed, why, train_here, tmp_path):
    with sabotaged(deed):
        done = train_here(*SWEEP)
    assert done.code == 1
    names = [
        "0_policy.hidden=4,seed=0",
        "1_policy.hidden=4,seed=1",
        "2_policy.hidden=8,seed=0",
        "3_policy.hidden=8,seed=1",
    ]
    assert states(tmp_path / "mine") == dict(zip(names, ["done", "done", "failed", "done"], strict=True))
    assert "sweep of 4 jobs: 3 done, 1 failed" in done.err
    assert why in done.err
    assert "python -m pg_experiments.train policy.hidden=8 seed=0 env.max_episodes=4 device=cpu\n" in done.err
    assert "Traceback" not in done.err
    log = (tmp_path / "mine" / names[2] / "train.log").read_text()
    assert "Traceback" in log
    assert why in log

    before = files(tmp_path / "mine")
    again = train_here(*SWEEP)
    assert again.code == 0, again.err
    assert set(states(tmp_path / "mine").values()) == {"done"}
    assert "sweep of 4 jobs: 4 done" in again.out
    recorded = json.loads((tmp_path / "mine" / names[0] / "result.json").read_text())["objective"]
    assert f"{names[0]}: done before, objective {recorded:.4g}" in again.out
    after = files(tmp_path / "mine")
    changed = {file.relative_to(tmp_path / "mine").parts[0] for file in before if before[file] != after.get(file)}
    assert changed <= {names[2], "multirun.yaml"}, "what was done is left as it was"
    assert why in (tmp_path / "mine" / names[2] / "train.log").read_text(), "the first attempt's log is kept"
    rows = (tmp_path / "mine" / names[2] / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["update", "0", "1"]
    assert len(list((tmp_path / "mine" / names[2]).glob("events*"))) == 1


def test_a_mistake_in_a_job_is_said_in_the_table_at_the_end(train_here, tmp_path):
    done = train_here("-m", "policy.hidden=-1,4", *TINY)
    assert done.code == 1
    assert list(states(tmp_path / "mine").values()) == ["failed", "done"]
    assert "UserError: policy.hidden=-1: expected a whole number at least 1; the nearest is 1" in done.err
    assert "Traceback" not in done.err


def test_a_killed_sweep_goes_on_with_the_same_command(train_here, tmp_path):
    assert a_process("-c", KILLED, cwd=tmp_path).code == -signal.SIGKILL
    assert list(states(tmp_path / "mine").values()) == ["done", "done", "killed"]
    again = train_here(*SWEEP)
    assert again.code == 0, again.err
    assert list(states(tmp_path / "mine").values()) == ["done"] * 4
    assert again.out.count("done before") == 2


def test_a_sweep_that_has_grown_knows_its_jobs_by_their_configuration_whatever_their_number(train_here, tmp_path):
    assert train_here("-m", "seed=0,1", "policy.hidden=8", *TINY).code == 0
    before = files(tmp_path / "mine")
    again = train_here("-m", "policy.hidden=4,8", "seed=1,0", *TINY)
    assert again.code == 0, again.err
    assert again.out.count("done before") == 2
    assert set(states(tmp_path / "mine")) == {
        "0_seed=0", "1_seed=1", "0_policy.hidden=4,seed=1", "1_policy.hidden=4,seed=0"
    }  # fmt: skip
    after = files(tmp_path / "mine")
    assert {file.name for file in before if before[file] != after[file]} == {"multirun.yaml"}


def test_a_sweep_whose_configuration_has_changed_is_refused_with_the_difference(train_here, tmp_path):
    assert train_here(*SWEEP).code == 0
    before = files(tmp_path / "mine")
    for changed, told in (
        ("policy.activation=tanh", "policy.activation was relu, is tanh"),
        ("env.max_episodes=6", "env.max_episodes was 4, is 6"),
    ):
        again = train_here(*SWEEP, changed)
        assert again.code == 1
        assert again.err.splitlines()[-1] == (
            f"error: mine/0_policy.hidden=4,seed=0: this job ran with another configuration ({told}); "
            "choose another hydra.sweep.dir (from Python: directory)"
        )
        assert files(tmp_path / "mine") == before
    assert train_here(*SWEEP, "tracking.histograms_every=7").code == 0, "which changes nothing that is learned"


def test_a_job_that_resume_has_changed_is_no_longer_the_sweeps(train_here, tmp_path):
    assert train_here(*SWEEP).code == 0
    assert train_here("resume=mine/1_policy.hidden=4,seed=1", "env.max_episodes=6").code == 0
    again = train_here(*SWEEP)
    assert again.code == 1
    assert "mine/1_policy.hidden=4,seed=1: this job ran with another configuration" in again.err
    assert "env.max_episodes was 6, is 4" in again.err


def test_a_preview_shows_each_job_with_its_state_and_runs_nothing(train_here, tmp_path):
    assert train_here("-m", "seed=0,1", "policy.hidden=8", *TINY).code == 0
    before = files(tmp_path / "mine")
    shown = train_here(*SWEEP, "preview=true")
    assert shown.code == 0, shown.err
    rows = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert rows == [
        "job what differs directory state",
        "0 policy.hidden=4 seed=0 0_policy.hidden=4,seed=0 new",
        "1 policy.hidden=4 seed=1 1_policy.hidden=4,seed=1 new",
        "2 policy.hidden=8 seed=0 0_seed=0 done",
        "3 policy.hidden=8 seed=1 1_seed=1 done",
        "2 new, 2 done; in mine; nothing was run",
    ]
    assert files(tmp_path / "mine") == before
    fresh = train_here("-m", "policy.hidden=4,8", "preview=true")
    assert "2 new; in multirun/" in fresh.out
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert "policy.dropout=1.5: expected a number" in train_here("-m", "policy.dropout=0,1.5", "preview=true").err
    assert "preview=yes: expected true or false; the nearest is true" in train_here("preview=yes").err


def test_a_directory_has_one_process_at_a_time(tmp_path):
    first = RunDirectory.claim(tmp_path, again=True)
    first.write_result({"status": "running"})
    assert state(tmp_path) == "running"
    with pytest.raises(UserError, match="another process is running it"):
        RunDirectory.claim(tmp_path, again=True)
    first.release()
    assert state(tmp_path) == "killed"
    again = RunDirectory.claim(tmp_path, again=True)
    again.begin_anew()
    again.release()
    assert state(tmp_path) == "new"
