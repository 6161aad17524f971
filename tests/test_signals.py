"""A signal before training has begun: 128 + its number, no traceback, no job that failed, and the command resumes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pg_experiments.support.interruption import Interrupted, deferred
from pg_experiments.support.run_directory import state

TINY = ("env.max_episodes=4", "policy.hidden=8", "device=cpu")
SWEEP = ("-m", "seed=0,1", "hydra.sweep.dir=mine", *TINY)
RUN = ("hydra.run.dir=mine/0_alone", *TINY)
MOMENTS = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9, 2.1, 2.3, 2.6, 2.9, 3.2, 3.6, 4.0]


def begin(directory: Path, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pg_experiments.train", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped(process: subprocess.Popen[str], directory: Path, number: int) -> None:
    """Send a signal. A process that had ended already, or has no handler yet, is as good."""
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode in (128 + number, -number, 0), err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert "Error" not in err
    assert {state(job) for job in directory.glob("mine/*_*")} <= {"new", "interrupted", "done", "killed"}


def imports_torch(process: subprocess.Popen[str]) -> None:
    """Wait until a process maps torch's library, that is until it is in the middle of the import."""
    deadline = time.monotonic() + 90
    while "libtorch_cpu" not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks at the memory of a process in /proc")
@pytest.mark.parametrize(("arguments", "number"), [(SWEEP, signal.SIGTERM), (RUN, signal.SIGINT)], ids=["sweep", "run"])
def test_a_signal_while_torch_is_imported_ends_the_command_and_the_same_command_finishes_it(
    command, tmp_path, arguments, number
):
    process = begin(tmp_path, arguments)
    imports_torch(process)
    stopped(process, tmp_path, number)
    assert process.returncode == 128 + number
    assert not list(tmp_path.glob("mine/*/result.json"))
    again = command(*arguments)
    assert again.returncode == 0, again.stderr
    assert {state(job) for job in tmp_path.glob("mine/*_*")} == {"done"}


def test_a_signal_while_hydra_is_imported_ends_the_command(tmp_path):
    process = begin(tmp_path, SWEEP)
    time.sleep(0.15)
    stopped(process, tmp_path, signal.SIGTERM)
    assert not list(tmp_path.glob("mine/*/result.json"))


@pytest.mark.by_hand
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=joblib",)], ids=["basic", "joblib"])
def test_a_sweep_can_be_stopped_at_any_moment_of_its_first_seconds(command, tmp_path, number, launcher):
    for moment in MOMENTS:
        process = begin(tmp_path, (*SWEEP, *launcher))
        time.sleep(moment)
        stopped(process, tmp_path, number)
    again = command(*SWEEP)
    assert again.returncode == 0, again.stderr
    assert {state(job) for job in tmp_path.glob("mine/*_*")} == {"done"}


@pytest.mark.by_hand
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_can_be_stopped_at_any_moment_of_its_first_seconds(command, tmp_path, number):
    for moment in MOMENTS:
        (tmp_path / str(moment)).mkdir()
        process = begin(tmp_path / str(moment), RUN)
        time.sleep(moment)
        stopped(process, tmp_path / str(moment), number)


def test_a_deferred_signal_takes_the_place_of_an_error_that_it_may_have_caused():
    def imported() -> None:
        with deferred():
            signal.raise_signal(signal.SIGINT)
            raise AttributeError("half of a module")

    with pytest.raises(Interrupted) as interrupted:
        imported()
    assert interrupted.value.signal_number == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_signal_ends_a_process_that_is_still_starting():
    script = (
        "import signal, time\n"
        "from pg_experiments.support.interruption import deferred\n"
        "with deferred():\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('first', flush=True)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('second', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGTERM
    assert done.stdout == "first\n"
    assert done.stderr.strip() == "interrupted: stopping before anything is trained; once more stops at once"
