"""The command as people run it: real directories, a few real processes, and mistakes that take one line to mend."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

TINY = ("env.max_episodes=4", "policy.hidden=8", "device=cpu")


def test_a_run_shows_its_choices_and_closes_with_what_came_out_and_how_to_look_at_it(command, tmp_path):
    done = command(*TINY, "tracking.plain_every_seconds=0.001")
    assert done.returncode == 0, done.stderr
    (directory,) = (tmp_path / "outputs").glob("*/*")
    assert "policy         mlp" in done.stdout
    assert "hidden=8" in done.stdout
    assert "episodes 4/4  return" in done.stdout
    assert "Not solved in 4 episodes" in done.stdout
    assert f"tensorboard --logdir {directory.relative_to(tmp_path)}" in done.stdout
    assert str(directory) in done.stdout
    assert {file.name for file in (directory / ".hydra").iterdir()} == {"config.yaml", "hydra.yaml", "overrides.yaml"}
    assert "env.max_episodes=4" in (directory / ".hydra" / "overrides.yaml").read_text()
    assert done.stderr == ""


def test_in_a_terminal_it_draws_a_bar(tmp_path):
    main, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pg_experiments.train", *TINY, "env.max_episodes=100"],
        cwd=tmp_path,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    assert process.wait() == 0
    assert "━".encode() in shown
    assert b"steps/s" in shown
    assert b"left" in shown


def test_a_sweep_names_its_jobs_after_what_differs_and_nothing_else(train_here, tmp_path):
    done = train_here("-m", "policy.hidden=4,8", "baseline=none,value", *(o for o in TINY if "hidden" not in o))
    assert done.code == 0, done.err
    jobs = {path.name for path in (tmp_path / "multirun").glob("*/*/[0-9]*")}
    assert jobs == {
        "0_baseline=none,policy.hidden=4",
        "1_baseline=value,policy.hidden=4",
        "2_baseline=none,policy.hidden=8",
        "3_baseline=value,policy.hidden=8",
    }
    sweep = next((tmp_path / "multirun").glob("*/*"))
    assert f"tensorboard --logdir {sweep.relative_to(tmp_path)}" in done.out
    for job in jobs:
        assert json.loads((sweep / job / "result.json").read_text())["status"] == "done"


def test_the_task_returns_its_objective_to_hydra(tmp_path):
    """Which hands it to the sweeper that launched the job."""
    script = (
        "import sys; from pg_experiments.app import job, command_line; import hydra;"
        "seen = []; sys.argv = ['train', 'env.max_episodes=4', 'policy.hidden=8', 'device=cpu'];"
        "task = lambda c: seen.append(job.train(c));"
        "hydra.main(config_path=command_line.config_directory(), config_name='config', version_base='1.3')(task)();"
        "print('objective', seen[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    result = json.loads(next((tmp_path / "outputs").glob("*/*/result.json")).read_text())
    assert f"objective {result['objective']}" in done.stdout


MISTAKES = [
    (("policy.hiden=64",), "did you mean policy.hidden?"),
    (("policy.hidden=abc",), "policy.hidden=abc: expected a whole number at least 1"),
    (("policy.hidden=-4",), "policy.hidden=-4: expected a whole number at least 1; the nearest is 1"),
    (("policy.dropout=1.5",), "policy.dropout=1.5: expected a number at least 0 and below 1"),
    (("env=carpole",), "env=carpole: no such option; did you mean env=cartpole?"),
    (("env=gymnasium", "env.id=NoSuch-v0"), "env.id=NoSuch-v0: Gymnasium has no environment of this id"),
    (("env=acrobot", "policy.head=bernoulli"), "chooses between 2 actions, and this environment has 3"),
    (
        ("env=gymnasium", "env.id=Pendulum-v1", "policy.head=categorical"),
        "expected auto, gaussian or squashed_gaussian",
    ),
    (("env=atari", "env.game=pongg"), "env.game=pongg: ale-py has no game of this name; the nearest are pong"),
    (("env=pong", "policy.head=bernoulli", "env.actions=null"), "this environment has 6; use policy.head=categorical"),
    (("env=gymnasium", "env.id=ALE/Pong-v5"), "Atari games are seen as images; use env=atari env.game=pong"),
    (("env=gymnasium", "env.id=Blackjack-v1"), "env.max_episode_steps=null: Blackjack-v1 has no time limit of its own"),
    (("num_seeds=0",), "num_seeds=0: expected a whole number at least 1; the nearest is 1"),
    (("baselin=none",), "did you mean baseline=none?"),
    (("hiden=64",), "did you mean policy.hidden?"),
    (("optimizer.lr=0.1",), "optimizer.lr: no such key; did you mean optimizer.learning_rate?"),
    (("policy=linear", "policy.layers=3"), "policy.layers: no such key with policy=linear; choose policy=mlp for it"),
    (("env.top=3",), "no such key with env=cartpole; choose env=atari or env=pong or env=pong_v5 for it"),
    (
        ("-m", "policy=mlp,linear", "policy.layers=8"),
        "no such key with policy=mlp,linear; choose policy=mlp for it",
    ),
    (("env=3",), "env=3: no such option; expected one of acrobot, ant, atari"),
    (("env=gymnasium", "env.id=phys2d/CartPole-v1"), "env.id=phys2d/CartPole-v1: Gymnasium cannot make it"),
    (("policy.hidden=1,2",), "several values are a sweep; add -m"),
    (("policy.hidden",), "not an override; expected key=value"),
    (("--config-dir", "nowhere"), "not found"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: " ".join(value)[:40])
def test_a_mistake_is_answered_in_one_line_without_a_traceback(train_here, tmp_path, arguments, message):
    done = train_here(*arguments)
    assert done.code == 1
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "multirun.yaml"]
    assert not left, "nothing is left behind"


def test_a_mistake_is_answered_in_the_same_way_by_a_process(command):
    done = command("policy.hiden=64")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: policy.hiden: no such key; did you mean policy.hidden?\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_said(train_here):
    done = train_here("device=cuda")
    assert done.code == 1
    assert "device=cuda: no CUDA device is available here; the nearest is device=cpu" in done.err


def test_a_directory_that_cannot_be_written_is_said(train_here, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = train_here(*TINY, "hydra.run.dir=file/run")
    assert done.code == 1
    assert "choose another hydra.run.dir" in done.err
    assert len(done.err.splitlines()) <= 5
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_sweep_of_one_is_named_after_its_overrides(train_here, tmp_path):
    assert train_here("-m", "policy.hidden=8", "env.max_episodes=2", "hydra.sweep.dir=mine").code == 0
    assert (tmp_path / "mine" / "0_env.max_episodes=2,policy.hidden=8" / "result.json").exists()


def test_a_run_is_never_overwritten(train_here, tmp_path):
    assert train_here(*TINY, "hydra.run.dir=mine").code == 0
    before = {file: file.read_bytes() for file in (tmp_path / "mine").rglob("*") if file.is_file()}
    again = train_here(*TINY, "seed=1", "hydra.run.dir=mine")
    assert again.code == 1
    assert "already holds a run" in again.err
    assert before == {file: file.read_bytes() for file in (tmp_path / "mine").rglob("*") if file.is_file()}


def test_ctrl_c_leaves_the_status_interrupted(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "pg_experiments.train", "hydra.run.dir=mine", "env.threshold=inf", "device=cpu"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    metrics = tmp_path / "mine" / "metrics.csv"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (metrics.exists() and metrics.stat().st_size > 500):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    result = json.loads((tmp_path / "mine" / "result.json").read_text())
    assert result["status"] == "interrupted"
    assert result["updates"] > 0


def test_help_and_a_mistyped_key_do_not_import_torch(tmp_path):
    """Python's own log of imports is looked through."""
    for arguments in (["--help"], ["policy.hiden=3"]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "pg_experiments.train", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        imported = {
            line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")
        }
        assert "hydra" in imported
        assert not imported & {"torch", "numpy", "gymnasium", "tensorboard", "pydantic"}


def test_help_says_what_every_option_is_and_shows_the_config_of_the_overrides(train_here, tmp_path):
    (tmp_path / "mine" / "policy").mkdir(parents=True)
    (tmp_path / "mine" / "policy" / "wide.yaml").write_text("# My wide one.\ndefaults: [mlp, _self_]\nhidden: 24\n")
    done = train_here("--help", "--config-dir", "mine", "policy=wide", "baseline=value")
    assert done.code == 0, done.err
    assert re.search(r"^  wide +My wide one\.$", done.out, re.MULTILINE)
    assert re.search(r"^  reinforce +REINFORCE: one gradient step per batch", done.out, re.MULTILINE)
    assert "hidden: 24" in done.out
    assert "bootstrap: false" in done.out
    assert "did you mean policy.hidden?" in train_here("--help", "policy.hiden=3").err


def test_a_directory_of_ones_own_adds_options(train_here, tmp_path):
    (tmp_path / "mine" / "policy").mkdir(parents=True)
    (tmp_path / "mine" / "policy" / "wide.yaml").write_text("defaults:\n  - mlp\n  - _self_\nhidden: 24\n")
    done = train_here("env.max_episodes=4", "--config-dir", "mine", "policy=wide", "device=cpu")
    assert done.code == 0, done.err
    assert "hidden=24" in done.out
    assert "policy         wide" in done.out


def test_the_composed_config_in_a_run_directory_composes_the_same_run_again(train_here, tmp_path):
    assert train_here(*TINY, "hydra.run.dir=first", "baseline=value").code == 0
    saved = (tmp_path / "first" / ".hydra" / "config.yaml").read_text()
    (tmp_path / "again").mkdir()
    Path(tmp_path / "again" / "saved.yaml").write_text(saved)
    done = train_here("--config-dir", "again", "--config-name", "saved", "hydra.run.dir=second")
    assert done.code == 0, done.err
    assert (tmp_path / "second" / ".hydra" / "config.yaml").read_text() == saved
