"""A run records what it was made with: versions, git revision, processor, threads and device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from pg_experiments.run import made_with as module
from pg_experiments.run.checkpoint import newest
from pg_experiments.run.made_with import checked_history, continued, differences, git, made_with
from tests.conftest import REPOSITORY, train_in
from tests.saved_runs import change_checkpoint, save_run
from tests.symptoms import texts

SHORT = ("env.threshold=inf", "policy.hidden=8", "device=cpu", "tracking.histograms_every=0")


def history(directory: Path) -> list[dict[str, Any]]:
    return json.loads((directory / "result.json").read_text())["made_with"]


def train(*arguments: str, threads: int) -> str:
    """The command in a process of its own with so many threads; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pg_experiments.train", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_records_the_versions_of_the_libraries_and_the_machine(tmp_path):
    train_in(tmp_path / "run", *SHORT, "env.max_episodes=4")
    (record,) = history(tmp_path / "run")
    for key, package in {"torch": "torch", "numpy": "numpy", "ale_py": "ale-py", "numba": "numba"}.items():
        assert record[key] == version(package)
    assert record["from_update"] == 0
    assert record["python"].split(".")[:2] == [str(number) for number in sys.version_info[:2]]
    assert (record["device"], record["threads"]) == ("cpu", torch.get_num_threads())
    assert record["processor"]
    assert list(record) == [
        *("pg_experiments", "git_revision", "git_dirty", "python", "torch", "numpy", "gymnasium", "ale_py", "numba"),
        *("processor", "threads", "device", "from_update"),
    ]


def test_a_run_that_is_resumed_with_something_else_records_both_and_warns_once(tmp_path):
    run = tmp_path / "run"
    train(*SHORT, "env.max_episodes=20", f"hydra.run.dir={run}", threads=1)
    assert "warning" not in train(f"resume={run}", "env.max_episodes=40", threads=1)
    assert [record["threads"] for record in history(run)] == [1]
    said = train(f"resume={run}", "env.max_episodes=60", threads=2)
    expected = "resumed with threads 1 → 2; results need not be the same to the last bit"
    assert said.count(f"warning: {expected}") == 1
    assert (run / "train.log").read_text().count(f"WARNING {expected}") == 1
    assert texts(run)["warnings/made_with"] == [expected]
    assert "warning" not in train(f"resume={run}", "env.max_episodes=80", threads=2)
    assert [(record["threads"], record["from_update"]) for record in history(run)] == [(1, 0), (2, 20)]
    state = newest(run)
    assert state is not None
    assert state["record"]["made_with"] == history(run)


def test_a_checkpoint_from_before_the_record_is_resumed_and_says_from_where_it_is_known(tmp_path):
    run = save_run(tmp_path / "run", *SHORT, "env.max_episodes=20")
    record = newest(run)["record"]
    del record["made_with"]
    change_checkpoint(run, record=record)
    assert "warning" not in train(f"resume={run}", "env.max_episodes=24", threads=1)
    assert [record["from_update"] for record in history(run)] == [10]


A, B = {"torch": "1", "threads": 2}, {"torch": "2", "threads": 2}


def test_each_part_that_was_made_with_something_else_is_a_record_and_a_part_without_updates_is_none():
    first = continued([], A, 0)
    assert first == [{"torch": "1", "threads": 2, "from_update": 0}]
    assert continued(first, A, 7) == first
    both = continued(first, B, 7)
    assert both == [*first, {"torch": "2", "threads": 2, "from_update": 7}]
    assert continued(both, A, 7) == first, "it came back before an update was made"
    assert continued(both, B, 9) == both
    assert [record["torch"] for record in continued(both, A, 9)] == ["1", "2", "1"]
    assert continued(both, A, 0) == first


def test_differences_name_the_key_and_both_values_in_one_printable_line():
    assert differences(A, {**B, "from_update": 3}) == ["torch 1 → 2"]
    assert differences(A, {"torch": "1"}) == ["threads 2 → null"]
    assert differences({"torch": "\x1b[31m\n" + "9" * 500}, A)[0].isprintable()


STRANGE = [
    "text", [3], [{}], [{"from_update": "0"}], [{"from_update": True}], [{"from_update": 0, "torch": torch.zeros(2)}],
    [{"from_update": 0, "torch": "9" * 2000}], [{"from_update": 0, 3: "torch"}], [{"from_update": 2**70}],
    [{"from_update": 0, "torch": [1]}], [{"from_update": 0}] * 2000,
]  # fmt: skip


@pytest.mark.parametrize("found", STRANGE, ids=range(len(STRANGE)))
def test_a_history_that_is_none_is_refused(found):
    with pytest.raises(ValueError, match="made_with: expected"):
        checked_history(found)


def commit(folder: Path) -> None:
    """A clone with one file of the package in it."""
    (folder / "pg_experiments").mkdir(parents=True)
    (folder / "pg_experiments" / "module.py").write_text("x = 1\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "c"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def test_the_revision_of_the_clone_is_recorded_and_whether_its_code_has_changed(tmp_path, monkeypatch):
    clone = tmp_path / "clone"
    commit(clone)
    revision = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=clone, text=True).strip()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    (clone / "notes.txt").write_text("not code")
    ask = git.__wrapped__
    assert ask(clone) == (revision, False)
    (clone / "pg_experiments" / "module.py").write_text("x = 2\n")
    assert ask(clone) == (revision, True)
    monkeypatch.chdir(tmp_path)
    assert made_with(torch.device("cpu"))["git_revision"] == ask(REPOSITORY)[0], "of the code, wherever one stands"


def test_there_is_no_revision_without_a_clone_without_git_and_where_git_takes_too_long(tmp_path, monkeypatch):
    clone, ask = tmp_path / "clone", git.__wrapped__
    commit(clone)
    (clone / "site-packages").mkdir()
    assert ask(clone / "site-packages") == (None, None), "a clone above it is not asked"
    (clone / "site-packages" / ".git").write_text("no clone")
    assert ask(clone / "site-packages") == (None, None)
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(module, "GIT_SECONDS", 0.2)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    assert ask(clone) == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask(clone) == (None, None)


def test_git_runs_no_command_that_the_settings_of_the_clone_name(tmp_path):
    clone, marker = tmp_path / "clone", tmp_path / "executed"
    commit(clone)
    subprocess.run(["git", "config", "core.fsmonitor", f"touch {marker}; false"], cwd=clone, check=True)
    git.__wrapped__(clone)
    assert not marker.exists()
    subprocess.run(["git", "status"], cwd=clone, check=True, capture_output=True)
    assert marker.exists(), "git itself does"
