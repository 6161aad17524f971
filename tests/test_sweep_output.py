"""What a sweep prints: each job in a line, what is left, and at the end an answer and the next commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from pg_experiments.app.sweep_seeds import NOTE, single_seed_note
from pg_experiments.run.tracking.sweep_job import SweepJob
from tests.sweeps import needs

TINY = ("env.max_episodes=4", "device=cpu", "hydra.sweep.dir=mine")


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> subprocess.CompletedProcess[str]:
    """A sweep of three jobs, the second of which fails, with its directory as `cwd`."""
    cwd = tmp_path_factory.mktemp("sweep")
    command = [sys.executable, "-m", "pg_experiments.train", "-m", "policy.hidden=4,-1,8", "num_seeds=2", *TINY]
    every = "tracking.plain_every_seconds=1e-9"
    return subprocess.run([*command, every], cwd=cwd, capture_output=True, text=True, check=False)


def test_each_job_has_a_line_with_its_result_and_the_failed_one_its_error(done):
    lines = done.stdout.splitlines()
    results = [line for line in lines if re.match(r"job \d of 3  .*(final return|failed)", line)]
    assert len(results) == 3
    assert re.fullmatch(r"job 1 of 3  policy.hidden=4  solved 0/2  final return \d+\.\d ± \d+\.\d  0:\d\d", results[0])
    assert results[1].startswith("job 2 of 3  1_policy.hidden=-1: failed, UserError: policy.hidden=-1: expected")
    assert results[2].startswith("job 3 of 3  policy.hidden=8  solved 0/2")


def test_the_settings_are_printed_once_and_afterwards_what_differs(done):
    assert done.stdout.count("optimizer      adam") == 1
    assert done.stdout.index("sweep of 3 jobs in mine") < done.stdout.index("optimizer      adam")
    assert done.stdout.count("Solved by") == 0
    assert "#1" not in done.stdout, "Hydra's own lines"


def test_the_time_left_is_of_the_first_job_and_then_of_the_sweep(done):
    progress = [line for line in done.stdout.splitlines() if " left in " in line]
    assert any(re.match(r"job 1 of 3 .* left in this job  solved 0/2$", line) for line in progress)
    assert any(re.match(r"job 3 of 3 .* left in the sweep  solved 0/2$", line) for line in progress)


def test_what_is_piped_has_no_control_characters(done):
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())


def test_the_end_has_a_row_per_configuration_and_the_next_commands(done):
    end = done.stdout[done.stdout.index("what differs") :].splitlines()
    assert [" ".join(line.split())[:20] for line in end[1:3]] == ["policy.hidden=4 0/2 ", "policy.hidden=8 0/2 "]
    assert re.search(r"0/2 +\d+\.\d \(\d+\.\d to \d+\.\d\) +0:\d\d", end[1])
    commands = dict(line.split(maxsplit=1) for line in end[3:])
    assert commands["compare"] == "python -m pg_experiments.compare sweep=mine"
    assert commands["curves"] == "tensorboard --logdir mine"
    address = urlsplit(commands["means"])
    assert parse_qs(address.query)["runFilter"] == ["^[^/]*$"]
    assert "python -m pg_experiments.train policy.hidden=-1 num_seeds=2" in done.stderr


def test_seeds_that_are_swept_are_one_configuration(train_here, tmp_path):
    swept = train_here("-m", "policy.hidden=4,8", "seed=0,1", *TINY)
    assert swept.code == 0, swept.err
    rows = [line.split()[:2] for line in swept.out[swept.out.index("what differs") :].splitlines()[1:3]]
    assert rows == [["policy.hidden=4", "0/2"], ["policy.hidden=8", "0/2"]]
    assert NOTE not in swept.out


def test_a_sweep_of_single_seeds_says_so_before_its_first_job(train_here):
    swept = train_here("-m", "policy.hidden=4,8", *TINY)
    assert swept.out.index(NOTE) < swept.out.index("job 1 of 2")
    assert "num_seeds=16" in NOTE


def test_so_does_its_preview_once(train_here):
    assert train_here("-m", "policy.hidden=4,8", *TINY, "preview=true").out.count(NOTE) == 1
    assert train_here("-m", "policy.hidden=4,8", "num_seeds=2", *TINY, "preview=true").out.count(NOTE) == 0


def test_seeds_are_counted_over_the_jobs_of_a_configuration():
    def note(*jobs: tuple[str, ...], num_seeds: int = 1) -> str | None:
        return single_seed_note(jobs, num_seeds)

    assert note(("policy.hidden=4",), ("policy.hidden=8",)) == NOTE
    assert note(("policy.hidden=4",), ("policy.hidden=8",), num_seeds=2) is None
    assert note(("a.b=4", "num_seeds=1"), ("a.b=8", "num_seeds=1"), num_seeds=2) == NOTE
    assert note(("a.b=4", "seed=0"), ("a.b=4", "++seed=1")) is None, "one configuration, nothing to compare"
    assert note(*[(f"a.b={b}", f"seed={seed}") for b in (4, 8) for seed in (0, 1)]) is None
    assert note(("a.b=4", "seed=0"), ("a.b=4", "seed=1"), ("a.b=8", "seed=0")) == NOTE
    assert note(("experiment=acrobot",), ("experiment=pong",)) is None, "each may set num_seeds"


def test_the_time_left_is_the_mean_of_the_finished_jobs_for_each_that_is_left():
    job = SweepJob(3, 5, "a=1", shows_settings=False, seconds=(10, 20))
    assert job.seconds_left(5) == 10 + 2 * 15
    assert job.seconds_left(60) == 2 * 15, "it takes longer than those before it"
    assert SweepJob(1, 5, "a=1", shows_settings=True).seconds_left(5) is None
    assert SweepJob(3, None, "a=1", shows_settings=False, seconds=(10,)).seconds_left(5) is None


def test_a_damaged_result_has_a_row_with_what_it_has(train_here, tmp_path):
    assert train_here("-m", "policy.hidden=4,8", *TINY).code == 0
    damaged = {"status": "done", "seeds": [7, {"solved": "yes", "final_return": "inf"}], "wall_time_s": None}
    (tmp_path / "mine" / "0_policy.hidden=4" / "result.json").write_text(json.dumps(damaged))
    again = train_here("-m", "policy.hidden=4,8", *TINY)
    rows = [" ".join(line.split()) for line in again.out[again.out.index("what differs") :].splitlines()]
    assert rows[1] == "policy.hidden=4 0/1 none 0:00"


@needs("hydra_plugins.hydra_joblib_launcher", "joblib")
def test_jobs_side_by_side_have_their_numbers_and_one_block_of_settings(command):
    swept = command("-m", "policy.hidden=4,8", "hydra/launcher=joblib", *TINY)
    assert swept.returncode == 0, swept.stderr
    for number, width in ((1, 4), (2, 8)):
        assert re.search(rf"^job {number}  policy.hidden={width}  solved 0/1  final return", swept.stdout, re.MULTILINE)
    assert swept.stdout.count("optimizer      adam") == 1
