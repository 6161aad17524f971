"""Files in a directory that is not trusted: nothing outside is read, written or removed, and nothing else is opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pg_experiments.support.files import LINE_LIMIT, Directory, FileError, NoSuchFile
from pg_experiments.support.plain_data import DEPTH, read_group, read_json, read_yaml
from tests.conftest import REPOSITORY
from tests.untrusted import Outside

LIMIT = 2**20
OPERATIONS: dict[str, Callable[[Directory, str], object]] = {
    "open": lambda directory, name: directory.open(name, LIMIT).close(),
    "read": lambda directory, name: directory.read(name),
    "read_text": lambda directory, name: directory.read_text(name),
    "lines": lambda directory, name: list(directory.lines(name, LIMIT)),
    "status": lambda directory, name: directory.status(name),
    "has_file": lambda directory, name: directory.has_file(name),
    "append": lambda directory, name: directory.append(name).close(),
    "append fresh": lambda directory, name: directory.append(name, fresh=True).close(),
    "overwrite": lambda directory, name: directory.overwrite(name, b"new"),
    "truncate": lambda directory, name: directory.truncate(name, 1),
    "force": lambda directory, name: directory.force(name),
}
WITHIN = {
    **OPERATIONS,
    "kind": lambda directory, name: directory.kind(name),
    "has_folder": lambda directory, name: directory.has_folder(name),
    "replace": lambda directory, name: directory.replace(name, lambda file: file.write(b"new")),
    "remove": lambda directory, name: directory.remove(name),
    "make_folder": lambda directory, name: directory.make_folder(name),
    "entries": lambda directory, name: directory.entries(name),
    "glob": lambda directory, name: directory.glob(name),
}


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    (tmp_path / "inside" / "folder").mkdir(parents=True)
    (tmp_path / "inside" / "file.txt").write_text("one\ntwo\n")
    return Directory(tmp_path / "inside")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_nothing_but_a_regular_file_is_opened_and_the_line_says_what_is_there(operation, directory, outside):
    (directory.path / "link").symlink_to(outside.file)
    (directory.path / "dangling").symlink_to(outside.path / "new")
    (directory.path / "inner_link").symlink_to("file.txt")
    os.mkfifo(directory.path / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.relpath(directory.path / "socket"))
    for name in ("link", "dangling", "inner_link"):
        with pytest.raises(FileError, match=rf"inside/{name}: is a link, and none is followed here; [^\n]*$"):
            operation(directory, name)
    for name in ("fifo", "socket"):
        with pytest.raises(FileError, match=f"inside/{name}: is a FIFO, socket or device; expected a regular file$"):
            operation(directory, name)
    listening.close()
    if operation is not OPERATIONS["force"]:
        with pytest.raises(FileError, match=r"inside/folder: is a folder; expected a regular file$"):
            operation(directory, "folder")
    assert outside.unchanged


@pytest.mark.parametrize("operation", WITHIN.values(), ids=WITHIN.keys())
def test_no_name_and_no_folder_on_the_way_leads_out(operation, directory, outside):
    (directory.path / "link").symlink_to(outside.path)
    (directory.path / "folder" / "up").symlink_to("..")
    for name in ("link/canary.txt", "link/new", "folder/up/file.txt"):
        with pytest.raises(FileError, match=r"inside/(link|folder/up): is a link"):
            operation(directory, name)
    for name in ("../outside/canary.txt", "folder/../../outside/canary.txt", str(outside.file), "a\0b"):
        with pytest.raises(FileError, match="expected a name within it"):
            operation(directory, name)
    assert outside.unchanged
    assert directory.read_text("file.txt") == "one\ntwo\n"


def test_a_device_is_not_opened(tmp_path):
    with pytest.raises(FileError, match=r"/dev/null: is a FIFO, socket or device; expected a regular file"):
        Directory("/dev").read("null")


def test_the_directory_itself_may_be_reached_through_a_link(tmp_path, directory):
    (tmp_path / "mine").symlink_to(directory.path)
    mine = Directory(tmp_path / "mine")
    mine.replace("folder/new", lambda file: file.write(b"new"))
    assert directory.read("folder/new") == b"new"
    assert mine.read_text("file.txt") == "one\ntwo\n"


def test_replacing_or_removing_a_link_leaves_what_it_leads_to(directory, outside):
    for name in ("replaced", "removed"):
        (directory.path / name).symlink_to(outside.file)
    directory.replace("replaced", lambda file: file.write(b"new"))
    directory.remove("removed")
    assert directory.read("replaced") == b"new"
    assert directory.kind("removed") == "absent"
    assert outside.unchanged


def test_a_file_with_a_second_name_outside_is_replaced_but_never_written_in_its_place(directory, outside):
    os.link(outside.file, directory.path / "second")
    for name in ("append", "append fresh", "overwrite", "truncate"):
        with pytest.raises(FileError, match="inside/second: has a second name"):
            OPERATIONS[name](directory, "second")
    directory.replace("second", lambda file: file.write(b"new"))
    assert outside.file.read_text() == "canary"


def test_a_file_is_replaced_whole_or_not_at_all_and_nothing_is_left_beside_it(directory):
    def fail(file) -> None:
        file.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        directory.replace("file.txt", fail)
    assert directory.read_text("file.txt") == "one\ntwo\n"
    directory.replace("file.txt", lambda file: file.write(b"new"))
    assert directory.read("file.txt") == b"new"
    assert [entry.name for entry in directory.entries()] == ["file.txt", "folder"]


def test_files_are_written_at_their_end_in_their_place_and_shortened(directory):
    for fresh, expected in ((False, b"one\ntwo\nmore"), (True, b"more")):
        with directory.append("file.txt", fresh=fresh) as file:
            file.write(b"more")
        assert directory.read("file.txt") == expected
    directory.overwrite("file.txt", b"a")
    assert directory.read("file.txt") == b"a"
    directory.overwrite("file.txt", b"abcdef")
    directory.truncate("file.txt", 4)
    assert directory.read("file.txt") == b"abcd"
    directory.remove("file.txt")
    directory.remove("file.txt")
    with pytest.raises(NoSuchFile):
        directory.overwrite("file.txt", b"a")


def test_what_is_absent_says_so_and_has_nothing_in_it(directory):
    for name in ("missing", "missing/file.txt"):
        assert directory.kind(name) == "absent"
        assert not directory.has_file(name)
        assert not directory.has_folder(name)
        assert directory.entries(name) == directory.glob(f"{name}/*") == []
        with pytest.raises(NoSuchFile, match=r"inside/missing(/file.txt)?: is not there$"):
            directory.read(name)
    assert Directory(directory.path / "missing").kind("file.txt") == "absent"
    with pytest.raises(FileError, match="expected a folder"):
        directory.has_folder("file.txt")


def test_a_pattern_and_a_walk_stay_inside(directory, outside):
    (directory.path / "seed_1").mkdir()
    (directory.path / "seed_1" / "events").write_text("")
    (directory.path / "seed_2").symlink_to(outside.path)
    (directory.path / "events").symlink_to(outside.file)
    assert directory.glob("seed_*/*") == ["seed_1/events"]
    assert directory.glob("*e*s") == ["events"]
    with pytest.raises(FileError, match="is a link"):
        directory.glob("seed_2/*")
    walked = {folder: [entry.name for entry in entries] for folder, entries in directory.walk(pytest.fail)}
    assert walked == {".": ["events", "file.txt", "folder", "seed_1", "seed_2"], "folder": [], "seed_1": ["events"]}


def test_what_is_read_is_bounded(directory):
    os.truncate(directory.path / "file.txt", 2**40)  # without a block on the disk
    for operation in ("read", "read_text", "lines"):
        with pytest.raises(FileError, match=r"inside/file.txt: is larger than 1 MiB, the most that is read of it$"):
            OPERATIONS[operation](directory, "file.txt")
    (directory.path / "file.txt").write_bytes(b"short\n" + b"x" * (LINE_LIMIT + 1))
    with pytest.raises(FileError, match=r"line 2 is longer than 65,536 bytes$"):
        list(directory.lines("file.txt", LIMIT))
    (directory.path / "file.txt").write_bytes(b"short\n\xff\n")
    with pytest.raises(FileError, match="line 2 is not UTF-8"):
        list(directory.lines("file.txt", LIMIT))
    with pytest.raises(FileError, match=r"is not UTF-8 text \(byte 6\)"):
        directory.read_text("file.txt")


UNPRIVILEGED = """
import os, sys
from pg_experiments.support.files import Directory, FileError, NoSuchFile
if os.geteuid() == 0:
    os.setuid(65534)
directory = Directory(sys.argv[1])
def told(operation):
    try:
        return f"no error, but {operation()!r}"
    except (FileError, OSError) as error:
        assert not isinstance(error, NoSuchFile), "unreadable is not absent"
        return f"{type(error).__name__}: {error}"
print(told(lambda: directory.read("secret.txt")))
print(told(lambda: directory.glob("closed/*")))
print(told(lambda: directory.kind("closed/file.txt")))
print(told(lambda: directory.has_file("closed/file.txt")))
print(told(lambda: directory.replace("new", lambda file: None)))
print(told(lambda: directory.append("secret.txt")))
print(told(lambda: [entries for _, entries in directory.walk(lambda _, error: print(error))][0][0].name))
"""


def test_what_may_not_be_read_is_not_absent(tmp_path):
    """As another user, as root may read everything."""
    folder = tmp_path / "run"
    (folder / "closed").mkdir(parents=True)
    (folder / "secret.txt").write_text("")
    (folder / "secret.txt").chmod(0)
    (folder / "closed").chmod(0)
    folder.chmod(0o555)
    above = [tmp_path, *tmp_path.parents][:-2]
    modes = {path: path.stat().st_mode for path in above}
    try:
        for path in above:
            path.chmod(path.stat().st_mode | 0o111)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(folder)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
        folder.chmod(0o755)
        (folder / "closed").chmod(0o755)
    assert done.stdout.replace(str(folder), "run").splitlines() == [
        "FileError: run/secret.txt: cannot be read (Permission denied)",
        "FileError: run/closed: cannot be read (Permission denied)",
        "FileError: run/closed/file.txt: cannot be read (Permission denied)",
        "FileError: run/closed/file.txt: cannot be read (Permission denied)",
        "PermissionError: [Errno 13] Permission denied: 'run/new'",
        "PermissionError: [Errno 13] Permission denied: 'run/secret.txt'",
        "run/closed: cannot be read (Permission denied)",
        "no error, but 'closed'",
    ]


YAML = {
    "nested": ("[" * 50_000, "more than 64 levels"),
    "nested in blocks": ("- " * 50_000, "more than 64 levels"),
    "nested a little": ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "more than 64 levels"),
    "aliases": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", r"an alias, \*a"),
    "merged aliases": ("a: &a {x: 1}\nb: {<<: [*a, *a]}", r"an alias, \*a"),
    "an object": ("!!python/object/apply:os.system ['touch proof']", "could not determine a constructor"),
    "half": ("a: {", "while parsing"),
    "a huge number": (f"a: {'9' * 5000}", "5000 digits|limit"),
}


@pytest.mark.parametrize(("text", "why"), YAML.values(), ids=YAML.keys())
def test_a_yaml_file_that_is_no_plain_data_is_refused_in_a_line(directory, text, why):
    (directory.path / "a.yaml").write_text(text)
    with pytest.raises(FileError, match=rf"inside/a.yaml: is no plain YAML \([^\n]*({why})[^\n]*\)$"):
        read_yaml(directory, "a.yaml")


def test_plain_yaml_is_read_as_it_is_and_an_interpolation_stays_text(directory):
    (directory.path / "a.yaml").write_text("home: ${oc.env:HOME}\nnumbers: [1, 2.5, null, true]\n1: {a: b}\n")
    expected = {"home": "${oc.env:HOME}", "numbers": [1, 2.5, None, True], "1": {"a": "b"}}
    assert read_group(directory, "a.yaml") == expected
    (directory.path / "b.yaml").write_text("- a\n" * 10_000)
    assert read_yaml(directory, "b.yaml") == ["a"] * 10_000
    with pytest.raises(FileError, match=r"inside/b.yaml: expected a group of keys$"):
        read_group(directory, "b.yaml")


JSON = {
    "nested": ("[" * 50_000 + "]" * 50_000, "recursion|levels"),
    "nested a little": ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "more than 64 levels"),
    "NaN": ('{"a": NaN}', "NaN is not a finite number"),
    "Infinity": ('{"a": -Infinity}', "-Infinity is not a finite number"),
    "too large a number": ('{"a": 1e400}', "1e400 is not a finite number"),
    "too long a number": ('{"a": ' + "1" * 400 + "}", "a whole number of 400 digits"),
    "half": ('{"a": ', "Expecting value"),
}


@pytest.mark.parametrize(("text", "why"), JSON.values(), ids=JSON.keys())
def test_a_json_file_that_is_no_plain_data_is_refused_in_a_line(directory, text, why):
    (directory.path / "a.json").write_text(text)
    with pytest.raises(FileError, match=rf"inside/a.json: is damaged \([^\n]*({why})[^\n]*\)$"):
        read_json(directory, "a.json", LIMIT)
