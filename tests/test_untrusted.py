"""Whoever reads or continues a stranger's run or sweep writes, replaces and removes nothing outside of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from benchmarks.run_directories import write_run
from pg_experiments import evaluate, load_run
from pg_experiments.compare import __main__ as compare
from pg_experiments.run.checkpoint import newest, read
from pg_experiments.support import run_directory
from pg_experiments.support.errors import UserError, printable
from pg_experiments.support.terminal import Terminal
from pg_experiments.train import __main__ as train
from tests.conftest import REPOSITORY
from tests.untrusted import Ended, Outside, command, contents

TINY = ("env.max_episodes=4", "policy.hidden=8", "device=cpu", "tracking.histograms_every=0")
SWEEP = ("-m", "seed=choice(0)", *TINY, "hydra.sweep.dir=sweep")
JOB = "0_seed=0"
ESCAPE = "\x1b]0;title\x07\x1b[31m"


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """A command that waits for a FIFO fails its test."""

    def give_up(*_: object) -> None:
        raise TimeoutError("the command hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run `run` that was interrupted, as it says, and a sweep `sweep` of one job that is done."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(train.main, *TINY, "num_seeds=2", "hydra.run.dir=run").code == 0
        assert command(train.main, *SWEEP).code == 0
    change_result(folder / "run", status="interrupted")
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with copies of both."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def change_result(run: Path, **values: object) -> None:
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | values))


def resume() -> Ended:
    return command(train.main, "resume=run")


def sweep(*more: str) -> Ended:
    return command(train.main, *SWEEP, *more)


def put_link(path: Path, to: Path) -> None:
    """Put a link in the place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    path.symlink_to(to)


# sweeps


def note_of(here: Path) -> Path:
    (note,) = (here / "sweep" / ".jobs").iterdir()
    return note


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
    ended = command(train.main, "-m", "optimizer.schedule=../../../../up,constant", *TINY, "hydra.sweep.dir=sweep2")
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
    for ended in (sweep(), sweep("preview=true"), command(compare.main, "sweep=sweep")):
        assert "7654321" not in ended.out + ended.err
        assert "Traceback" not in ended.err


@pytest.mark.parametrize("launcher", ["submitit_local", "submitit_slurm"])
def test_a_launcher_unpickles_nothing_from_a_folder_whose_name_can_be_known_beforehand(launcher):
    settings = yaml.safe_load((REPOSITORY / "conf" / "hydra" / "launcher_settings" / f"{launcher}.yaml").read_text())
    assert re.search(r"\$\{now:.*%f\}/", settings["launcher"]["submitit_folder"])


# runs


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
    assert command(train.main, "resume=run", "env.max_episodes=8").code == 0
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
    assert command(train.main, "resume=run", "env.max_episodes=6").code == 0
    assert sweep().code == 0
    assert command(compare.main, "sweep=sweep").code == 0
    assert load_run(here / "run").seeds == [0, 1]


# what is read

READERS: dict[str, Callable[[], Ended]] = {
    "resume": resume,
    "evaluate": lambda: command(evaluate.main, "run=run", "episodes=1"),
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
    ended = command(compare.main, "sweep=sweep")
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
    assert command(compare.main, "sweep=sweep").code == 0
    assert all((tmp_path / "sweep" / name).is_file() for name in REPORT)
    assert outside.unchanged


def test_an_evaluation_replaces_a_link_and_records_no_video_through_one(here, outside):
    (here / "run" / "evaluation.json").symlink_to(outside.file)
    (here / "run" / "videos").symlink_to(outside.path)
    evaluated = command(evaluate.main, "run=run", "episodes=1", "seed=0", "video=true", "video.seconds=0.1")
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
        command(compare.main, "sweep=sweep"),
        command(compare.main, f"sweep={name}"),
        command(evaluate.main, f"run={name}", "episodes=1", "seed=0"),
        command(train.main, f"resume={name}", "env.max_episodes=6"),
        command(train.main, f"resume={name}"),
        command(train.main, f"resume={name}", f"env.max_episodes={ESCAPE}"),
        command(train.main, f"resume={name}nowhere"),
        sweep(),
        sweep("seed=choice(1)"),
    ]
    (run / ".hydra" / "config.yaml").write_text(f"{config}{json.dumps(ESCAPE)}: 1\n")
    shown += [command(train.main, f"resume={name}"), command(evaluate.main, f"run={name}")]
    for ended in shown:
        for line in (ended.out + ended.err).replace("\t", "").split("\n"):  # Hydra begins lines with one
            assert line.isprintable(), (shown.index(ended), line)
    assert "�" in shown[-1].err


def test_a_terminal_shows_control_characters_as_marks_and_keeps_its_own_colours(capsys):
    assert printable("a\x1b[31m\x9b\u202e\ud800\tb") == "a�[31m���" + "�b"
    terminal = Terminal(force_terminal=True, width=80, color_system="standard", highlight=False)
    terminal.print(f"[bold]x[/bold]{ESCAPE}\ny")
    assert capsys.readouterr().out == "\x1b[1mx\x1b[0m�]0;title�[31m\ny\n"
