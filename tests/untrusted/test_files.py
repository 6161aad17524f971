"""A stranger's files are read within bounds, nothing is written through them, and none of them steers a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.run_directories import write_run
from pg_experiments import load_run
from pg_experiments.run.checkpoint import newest, read
from pg_experiments.support.errors import UserError, printable
from pg_experiments.support.terminal import Terminal
from tests.in_process import Ended, run_command
from tests.untrusted import JOB, TINY, change_result, note_of, put_link, resume, sweep

ESCAPE = "\x1b]0;title\x07\x1b[31m"


# what is read

READERS: dict[str, Callable[[], Ended]] = {
    "resume": resume,
    "evaluate": lambda: run_command("evaluate", "run=run", "episodes=1"),
}
FILES = (".hydra/config.yaml", "result.json", "checkpoints")


def put_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def put_device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def put_a_terabyte(file: Path) -> None:
    os.truncate(file, 2**40)


def put_depth(file: Path) -> None:
    file.write_text("[" * 50_000)


BAD = [put_fifo, put_device, put_a_terabyte, put_depth]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", BAD)
def test_a_file_that_cannot_be_read_within_bounds_is_one_line(here, reader, name, damage):
    file = here / "run" / name
    if file.is_dir():
        (file,) = file.iterdir()
    damage(file)
    ended = reader()
    if (name, reader) == ("result.json", READERS["evaluate"]) and damage in (put_depth, put_a_terabyte):
        assert ended.code == 0, "an evaluation only asks whether it is there"
    else:
        assert f"run/{file.relative_to(here / 'run')}" in ended.error


@pytest.mark.parametrize("damage", BAD)
def test_runs_that_cannot_be_read_within_bounds_are_left_out_of_a_comparison_with_the_reason(
    tmp_path, monkeypatch, damage
):
    monkeypatch.chdir(tmp_path)
    names = (".hydra/config.yaml", ".hydra/overrides.yaml", "result.json", "metrics.csv")
    rows = [{"env_steps": 9, "episodes": 2, "mean_return": 5.0}]
    for number, name in enumerate((*names, None)):
        run = write_run(tmp_path / "sweep" / str(number), [f"policy.hidden={number + 1}"], {0: rows, 1: rows})
        if name is not None:
            damage(run / name)
    ended = run_command("compare", "sweep=sweep")
    assert ended.code == 0, ended.err
    assert "Not counted, 4:" in ended.out
    for number, name in enumerate(names):
        assert re.search(rf"sweep/{number}: .*{re.escape(name)}", ended.out)


def test_a_compressed_checkpoint_is_not_unpacked(here):
    (file,) = (here / "run" / "checkpoints").iterdir()
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(here / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for member in whole.infolist():
            bomb.writestr(member.filename, whole.read(member))
        with bomb.open("archive/data/99999", "w", force_zip64=True) as zeros:
            for _ in range(4):
                zeros.write(bytes(2**25))
    shutil.move(here / "bomb.pt", file)
    assert "is compressed, which no checkpoint's is" in resume().error


def test_a_checkpoint_with_a_long_list_of_members_or_deep_lists_is_refused(tmp_path):
    file = tmp_path / "update_00000001.pt"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(70):
            archive.writestr(f"{number}{'x' * 60_000}", b"")
            archive.filelist[-1].comment = b"y" * 60_000
            archive.filelist[-1].extra = b""
        for _ in range(3):
            archive.filelist.extend(archive.filelist[:70])
    with pytest.raises(UserError, match="its list of members is larger than 16 MiB"):
        read(file)
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    torch.save({"format": 1, "deep": deep}, file)
    with pytest.raises(UserError, match="more than 64 levels"):
        read(file)


def test_a_folder_of_checkpoints_that_is_a_link_is_not_taken_for_none(here, outside):
    put_link(here / "run" / "checkpoints", outside.path)
    with pytest.raises(UserError, match="run/checkpoints: is a link"):
        newest(here / "run")
    with pytest.raises(UserError, match="run/checkpoints: is a link"):
        load_run(here / "run")


# what is written

REPORT = ("report.html", "comparison.md", "comparison.csv", "comparison_pairs.csv")
REPORT += ("curves.png", "performance_profile.png", "to_threshold.png")


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_comparison_writes_through_no_link_and_waits_for_no_fifo(tmp_path, monkeypatch, outside, kind):
    monkeypatch.chdir(tmp_path)
    rows = [{"env_steps": 9, "episodes": 2, "mean_return": 5.0}]
    write_run(tmp_path / "sweep" / "0", [], {0: rows, 1: rows})
    for name in [*REPORT, *(f".{name}.tmp" for name in REPORT)]:
        (tmp_path / "sweep" / name).symlink_to(outside.file)
        if kind == "fifo":
            (tmp_path / "sweep" / name).unlink()
            os.mkfifo(tmp_path / "sweep" / name)
    assert run_command("compare", "sweep=sweep").code == 0
    assert all((tmp_path / "sweep" / name).is_file() for name in REPORT)
    assert outside.unchanged


def test_an_evaluation_replaces_a_link_and_records_no_video_through_one(here, outside):
    (here / "run" / "evaluation.json").symlink_to(outside.file)
    (here / "run" / "videos").symlink_to(outside.path)
    evaluated = run_command("evaluate", "run=run", "episodes=1", "seed=0", "video=true", "video.seconds=0.1")
    assert "run/videos: is a link, and none is followed here" in evaluated.error
    assert json.loads((here / "run" / "evaluation.json").read_text())["episodes"] == 1
    assert outside.unchanged


# what is shown


def test_no_control_character_of_a_file_or_a_name_reaches_the_terminal(here):
    run = here / f"run{ESCAPE}"
    os.rename(here / "run", run)
    os.rename(here / "sweep" / JOB, here / "sweep" / f"{JOB}{ESCAPE}")
    note_of(here).write_text(f"{JOB}{ESCAPE}")
    config = (run / ".hydra" / "config.yaml").read_text()
    change_result(here / "sweep" / f"{JOB}{ESCAPE}", status="failed", error=ESCAPE)
    overrides = json.dumps(["seed=0", *TINY, f"+note={ESCAPE}"])
    (here / "sweep" / f"{JOB}{ESCAPE}" / ".hydra" / "overrides.yaml").write_text(overrides)
    name = str(run)
    shown = [
        sweep("preview=true"),
        run_command("compare", "sweep=sweep"),
        run_command("compare", f"sweep={name}"),
        run_command("evaluate", f"run={name}", "episodes=1", "seed=0"),
        run_command("train", f"resume={name}", "env.max_episodes=6"),
        run_command("train", f"resume={name}"),
        run_command("train", f"resume={name}", f"env.max_episodes={ESCAPE}"),
        run_command("train", f"resume={name}nowhere"),
        sweep(),
        sweep("seed=choice(1)"),
    ]
    (run / ".hydra" / "config.yaml").write_text(f"{config}{json.dumps(ESCAPE)}: 1\n")
    shown += [run_command("train", f"resume={name}"), run_command("evaluate", f"run={name}")]
    for ended in shown:
        for line in (ended.out + ended.err).replace("\t", "").split("\n"):  # Hydra begins lines with one
            assert line.isprintable(), (shown.index(ended), line)
    assert "�" in shown[-1].err


def test_a_terminal_shows_control_characters_as_marks_and_keeps_its_own_colours(capsys):
    assert printable("a\x1b[31m\x9b\u202e\ud800\tb") == "a�[31m���" + "�b"
    terminal = Terminal(force_terminal=True, width=80, color_system="standard", highlight=False)
    terminal.print(f"[bold]x[/bold]{ESCAPE}\ny")
    assert capsys.readouterr().out == "\x1b[1mx\x1b[0m�]0;title�[31m\ny\n"
