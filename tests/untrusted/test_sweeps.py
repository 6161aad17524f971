"""Continuing a stranger's sweep writes, replaces and removes nothing outside of it, and runs nothing of it."""

from __future__ import annotations

import json
import os
import re

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.in_process import run_command
from tests.untrusted import JOB, TINY, contents, note_of, put_link, sweep


@pytest.mark.parametrize("place", ["{outside}", "../../outside", f"{JOB}/../../../outside", "."])
def test_a_sweeps_note_that_names_a_directory_outside_is_refused(here, outside, place):
    note_of(here).write_text(place.format(outside=outside.path))
    for ended in (sweep("preview=true"), *([sweep()] if place in ("{outside}", ".") else [])):
        assert re.search("expected a name within it|is the sweep's own directory", ended.error)
    assert outside.unchanged


def test_a_sweeps_note_is_not_read_where_it_is_no_small_regular_file(here, outside):
    note = note_of(here)
    os.truncate(note, 2**40)
    assert "is larger than 1 MiB, the most that is read of it" in sweep().error
    put_link(note, outside.file)
    assert f"{note.name}: is a link" in sweep("preview=true").error
    note.unlink()
    os.mkfifo(note)
    assert f"{note.name}: is a FIFO, socket or device" in sweep("preview=true").error
    assert outside.unchanged


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (JOB, "."),
        ("multirun.yaml", "metrics.csv"),
        (".jobs", "."),
        ("1_new", "new"),
        (".submitit", "empty"),
        ("optimization_results.yaml", "new"),
    ],
)
def test_a_link_out_of_a_sweep_is_refused_before_anything_is_written(here, outside, name, target):
    put_link(here / "sweep" / name, outside.path / target)
    (here / "sweep" / ".hydra").mkdir()  # as if the sweep were a job
    before = contents(here)
    assert f"sweep/{name}: is a link, and none is followed here" in sweep().error
    assert contents(here) == before
    assert outside.unchanged


def test_a_link_within_a_sweep_is_no_jobs_directory(here):
    os.rename(here / "sweep" / JOB, here / "sweep" / "other")
    (here / "sweep" / JOB).symlink_to("other")
    assert f"sweep/{JOB}: is a link" in sweep().error


def test_a_fifo_in_a_sweeps_directory_does_not_hang_its_command(here):
    (here / "sweep" / "multirun.yaml").unlink()
    os.mkfifo(here / "sweep" / "multirun.yaml")
    assert "sweep/multirun.yaml: is a FIFO, socket or device; expected a regular file" in sweep().error


def test_a_value_with_dots_and_slashes_puts_no_job_outside(here, tmp_path):
    before = {path for path in tmp_path.rglob("*") if "sweep" not in path.parts}
    ended = run_command("train", "-m", "optimizer.schedule=../../../../up,constant", *TINY, "hydra.sweep.dir=sweep2")
    assert ended.code == 1
    assert "sweep of 2 jobs: 1 failed, 1 done" in ended.err
    names = {path.name for path in (here / "sweep2").iterdir()}
    assert names == {
        ".jobs", "multirun.yaml", "0_optimizer.schedule=.._.._.._.._up", "1_optimizer.schedule=constant"
    }  # fmt: skip
    after = {path for path in tmp_path.rglob("*") if "sweep" not in path.parts and "sweep2" not in path.parts}
    assert after == before
    for subdir in ("../up", "/tmp/up"):
        assert "hydra.sweep.subdir: expected a path within" in sweep(f"hydra.sweep.subdir={subdir}").error
    assert not (here / "up").exists()


def test_an_interpolation_in_a_sweeps_overrides_is_never_resolved(here, monkeypatch):
    monkeypatch.setenv("CANARY", "7654321")
    overrides = ["seed=${oc.decode:${oc.env:CANARY}}", *TINY]
    (here / "sweep" / JOB / ".hydra" / "overrides.yaml").write_text(json.dumps(overrides))
    for ended in (sweep(), sweep("preview=true"), run_command("compare", "sweep=sweep")):
        assert "7654321" not in ended.out + ended.err
        assert "Traceback" not in ended.err


@pytest.mark.parametrize("launcher", ["submitit_local", "submitit_slurm"])
def test_a_launcher_unpickles_nothing_from_a_folder_whose_name_can_be_known_beforehand(launcher):
    settings = yaml.safe_load((REPOSITORY / "conf" / "hydra" / "launcher_settings" / f"{launcher}.yaml").read_text())
    assert re.search(r"\$\{now:.*%f\}/", settings["launcher"]["submitit_folder"])
