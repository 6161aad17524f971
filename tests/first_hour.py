"""Plays the first hour of a new user in a fresh environment, from a wheel: `python -m tests.first_hour`.

Each task is a command, or a few, with what a user must be able to read afterwards. The last line is `done X of Y`.
`--short` cuts the trainings off; the test suite plays this form. `--python FILE` uses an environment that is there,
which must not have the project's extras.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.environments import fresh_environment
from tests.pages import block

TASKS: list[Callable[[Hour], None]] = []


class Hour:
    """A directory, the Python that commands run with, and the text of the last command."""

    def __init__(self, python: Path, directory: Path, *, short: bool) -> None:
        self.python = python
        self.directory = directory
        self.short = short
        self.text = ""

    def run(self, *arguments: str, code: int | None = 0) -> None:
        """Runs `python …` and keeps what it prints. Raises AssertionError for another exit code than `code`."""
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.directory,
            env={"COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.text = done.stdout + done.stderr
        assert code is None or done.returncode == code, f"exit code {done.returncode} of {arguments}:\n{self.text}"

    def train(self, *overrides: str, code: int | None = 0) -> None:
        """Runs the training command."""
        self.run("-m", "pg_experiments.train", *overrides, code=code)

    def says(self, *expected: str) -> None:
        """Raises AssertionError unless the last command printed all of these texts, in any order."""
        said = re.sub(r"\s+", " ", self.text)
        for text in expected:
            assert text in said, f"expected {text!r} in:\n{self.text}"

    def cut(self, *overrides: str) -> tuple[str, ...]:
        """These overrides in the short form, none otherwise."""
        return overrides if self.short else ()

    def result(self, run: str) -> dict[str, object]:
        """A run's result.json."""
        found = json.loads((self.directory / run / "result.json").read_text())
        assert isinstance(found, dict)
        return found


def task(play: Callable[[Hour], None]) -> Callable[[Hour], None]:
    """Adds a task."""
    TASKS.append(play)
    return play


@task
def the_first_line_solves_cartpole_in_seconds(hour: Hour) -> None:
    hour.train("hydra.run.dir=first")
    hour.says("Solved", "tensorboard --logdir")
    assert hour.result("first")["status"] == "done"


@task
def a_run_records_what_it_was_made_with(hour: Hour) -> None:
    made_with = json.dumps(hour.result("first")["made_with"])
    for name in ("python", "torch", "numpy", "gymnasium", "ale_py", "processor", "threads", "git"):
        assert name in made_with, f"expected {name} in {made_with}"


@task
def version_and_help_of_one_key(hour: Hour) -> None:
    hour.train("--version")
    hour.says("pg-experiments", "torch")
    hour.train("--help", "policy.dropout")
    hour.says("policy.dropout", "below 1")


@task
def names_of_other_libraries_lead_to_the_right_keys(hour: Hour) -> None:
    for given, key in {
        "lr=0.1": "optimizer.learning_rate",
        "learning_rate=0.1": "optimizer.learning_rate",
        "gamma=0.9": "algorithm.discount",
        "hidden_dim=64": "policy.hidden",
        "batch_size=4": "collect.episodes",
    }.items():
        hour.train(given, code=1)
        hour.says(key)
        assert hour.text.count("\n") == 1, f"expected one line:\n{hour.text}"


@task
def a_sweep_with_one_seed_each_says_so_before_it_starts(hour: Hour) -> None:
    hour.train("-m", "policy.hidden=16,32", "env.max_episodes=4", "hydra.sweep.dir=single")
    hour.says("num_seeds=16")
    assert hour.text.index("num_seeds=16") < hour.text.index("policy.hidden=32")


@task
def a_sweep_over_two_factors_answers_for_each(hour: Hour) -> None:
    values = ("policy.dropout=0,0.5", "optimizer.weight_decay=0,1e-4") if hour.short else (
        "policy.dropout=0,0.2,0.5",
        "optimizer.weight_decay=0,1e-4",
    )  # fmt: skip
    hour.train("-m", *values, "num_seeds=8", "hydra.sweep.dir=sweep", *hour.cut("env.max_episodes=60"))
    hour.says("pg_experiments.compare sweep=sweep", "tensorboard --logdir sweep")
    hour.run("-m", "pg_experiments.compare", "sweep=sweep")
    hour.says(
        "policy.dropout × optimizer.weight_decay on CartPole-v1",
        "policy.dropout, averaged over optimizer.weight_decay",
        "optimizer.weight_decay, averaged over policy.dropout",
    )
    assert "<title>policy.dropout" in (hour.directory / "sweep/report.html").read_text()


@task
def a_comparison_by_one_key_keeps_the_whole_one(hour: Hour) -> None:
    before = (hour.directory / "sweep/report.html").read_bytes()
    hour.run("-m", "pg_experiments.compare", "sweep=sweep", "by=policy.dropout")
    assert (hour.directory / "sweep/report.html").read_bytes() == before
    assert list((hour.directory / "sweep").glob("*by*policy.dropout*.html"))


@task
def runs_of_other_versions_are_pointed_out(hour: Hour) -> None:
    file = next(hour.directory.glob("sweep/0_*/result.json"))
    mine = file.read_text()
    file.write_text(re.sub(r'("torch": ")[^"]*', r"\g<1>1.0.0", mine))
    hour.run("-m", "pg_experiments.compare", "sweep=sweep")
    hour.says("torch", "1.0.0")
    file.write_text(mine)


@task
def a_run_from_python(hour: Hour) -> None:
    (hour.directory / "use.py").write_text(USE)
    hour.run("use.py")
    hour.says("trained 2 seeds", "probabilities sum to 1", "compared")


@task
def a_solved_run_says_that_nothing_is_left_to_do(hour: Hour) -> None:
    hour.train("resume=first", "env.max_episodes=5000", code=None)
    hour.says("solved", "env.threshold")


@task
def ctrl_c_stops_a_run_and_resume_continues_it(hour: Hour) -> None:
    command = [str(hour.python), "-m", "pg_experiments.train", "env.threshold=inf", "hydra.run.dir=stopped"]
    process = subprocess.Popen(command, cwd=hour.directory, env={}, stdout=subprocess.DEVNULL)
    rows = hour.directory / "stopped/metrics.csv"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (rows.exists() and rows.read_text().count("\n") > 2):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    hour.train("resume=stopped", *hour.cut("env.max_episodes=300"))
    assert hour.result("stopped")["status"] == "done"


@task
def an_environment_that_learns_nothing_is_warned_of(hour: Hour) -> None:
    limits = ("env.max_episodes=110", "env.max_steps=null")
    hour.train("env=gymnasium", "env.id=MountainCar-v0", *limits, "hydra.run.dir=car")
    hour.says("warning: seed 0: the last 100 returns are all -200")


@task
def an_evaluation_plays_new_episodes(hour: Hour) -> None:
    hour.run("-m", "pg_experiments.evaluate", "run=first", *hour.cut("episodes=10"))
    hour.says("greedy", "sampling")


@task
def a_missing_extra_says_how_to_install_it(hour: Hour) -> None:
    hour.run("-m", "pg_experiments.evaluate", "run=first", "video=true", "episodes=2", code=None)
    hour.says("pg-experiments[video]", "pip install -e '.[video]'")
    hour.train("env=gymnasium", "env.id=LunarLander-v3", code=1)
    hour.says("pg-experiments[box2d]")


@task
def a_device_that_does_not_work_is_refused_with_a_reason(hour: Hour) -> None:
    hour.train("device=mps", code=1)
    hour.says("device=mps", "cpu")


@task
def an_environment_of_ones_own_in_ten_lines(hour: Hour) -> None:
    (hour.directory / "my_env.py").write_text(block("README.md", "# my_env.py"))
    chosen = ("--plugin", "./my_env.py", "env=gymnasium", "env.id=Corridor-v0")
    hour.train(*chosen, "num_seeds=8", "hydra.run.dir=own")
    hour.says("Solved by")


@task
def pong_from_pixels(hour: Hour) -> None:
    hour.train("env=pong", "env.num_envs=8", "env.max_steps=2000", "collect.points=8", "hydra.run.dir=pong")
    assert hour.result("pong")["status"] == "done"


@task
def completion_is_installed_by_one_line(hour: Hour) -> None:
    hour.run("-m", "pg_experiments.train", "-sc", "install=bash")
    hour.says("complete")


USE = """
import numpy as np
import pg_experiments

seen = []
run = pg_experiments.train("env.max_episodes=20", "num_seeds=2", directory="python_run", callback=seen.append)
assert seen and run.metrics()
print("trained 2 seeds")
observation, _ = run.make_env().reset(seed=0)
probabilities = run.probabilities(observation)
assert abs(float(np.sum(probabilities)) - 1) < 1e-5
print("probabilities sum to 1")
comparison = pg_experiments.compare(["sweep"])
print("compared:", comparison.headline)
"""


def play(hour: Hour) -> int:
    """Plays all tasks, prints the outcome of each, and returns the number of those that were done."""
    done = 0
    for play_task in TASKS:
        started = time.perf_counter()
        try:
            play_task(hour)
            outcome, done = "done  ", done + 1
        except (AssertionError, OSError, KeyError, StopIteration, subprocess.SubprocessError) as error:
            outcome = f"FAILED ({error})\n      "
        print(f"{outcome} {play_task.__name__.replace('_', ' ')}, {time.perf_counter() - started:.1f} s", flush=True)
    print(f"done {done} of {len(TASKS)}", flush=True)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="cut trainings off")
    parser.add_argument("--python", type=Path, help="of an environment with the project and without its extras")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        python = arguments.python or fresh_environment(directory)
        (directory / "hour").mkdir()
        done = play(Hour(python, directory / "hour", short=arguments.short))
    sys.exit(0 if done == len(TASKS) else 1)


if __name__ == "__main__":
    main()
