"""Continuing a stranger's run writes, replaces and removes nothing outside of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pg_experiments import load_run
from pg_experiments.support import run_directory
from tests.in_process import run_command
from tests.untrusted import contents, put_link, resume, sweep


@pytest.mark.parametrize("name", [*run_directory.FILES, *run_directory.FOLDERS, "seed_1"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_run_whose_files_are_links_or_fifos_is_neither_continued_nor_changed(here, outside, name, kind):
    path = here / "run" / name
    put_link(path, outside.path if path.is_dir() else outside.file)
    if kind == "fifo":
        path.unlink()
        os.mkfifo(path)
    before = contents(here / "run")
    assert f"run/{name}" in (error := resume().error)
    assert ("is a link" if kind == "link" else "is a FIFO, socket or device") in error
    assert contents(here / "run") == before
    assert outside.unchanged


def test_a_run_that_links_out_in_its_folders_is_continued_without_them(here, outside):
    for name in ("events.out.tfevents.0", "seed_0/events.out.tfevents.0", "seed_x", "notes.txt"):
        (here / "run" / name).symlink_to(outside.file)
    assert run_command("train", "resume=run", "env.max_episodes=8").code == 0
    assert outside.unchanged
    assert (here / "run" / "notes.txt").is_symlink()


def as_another_user(say: Callable[[], str]) -> str:
    """What a function returns in a process of a user who may not read everything; all that it needs is imported."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            torch.set_num_threads(1)
            said = say()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_checkpoints_that_may_not_be_read_are_not_absent_and_nothing_is_removed(here):
    """As another user, as root may read everything."""
    run = here / "run"
    before = contents(run)
    for path in [run, *run.rglob("*")]:
        path.chmod(0o777)
    above = {path: path.stat().st_mode for path in run.parents if path != Path("/")}
    for path, mode in above.items():
        path.chmod(mode | 0o111)
    (run / "checkpoints").chmod(0)
    try:
        error = as_another_user(lambda: resume().error)
    finally:
        (run / "checkpoints").chmod(0o755)
        for path, mode in above.items():
            path.chmod(mode)
    assert error == "error: run/checkpoints: cannot be read (Permission denied)"
    assert contents(run) == before


def test_the_users_own_path_to_a_run_or_sweep_may_be_a_link(here):
    (here.parent / "real").mkdir()
    os.rename(here / "run", here.parent / "real" / "run")
    os.rename(here / "sweep", here.parent / "real" / "sweep")
    for name in ("run", "sweep"):
        (here / name).symlink_to(f"../real/{name}")
    assert run_command("train", "resume=run", "env.max_episodes=6").code == 0
    assert sweep().code == 0
    assert run_command("compare", "sweep=sweep").code == 0
    assert load_run(here / "run").seeds == [0, 1]
