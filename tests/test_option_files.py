"""A config file of the user's own that cannot be read is named in one line, and does not break a hint or `--help`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from pg_experiments.app.command_line import config_directory
from pg_experiments.app.composing import composing
from pg_experiments.app.help import help_text
from pg_experiments.app.hints import Hints
from pg_experiments.app.mistakes import explain
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.support.errors import FileError, UserError

CONF = Path(config_directory())


def text(content: str | bytes) -> Callable[[Path], object]:
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda file: file.write_bytes(raw)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "broken": (text("a: 1\nb: ["), "cannot be read as a config (line 2: expected the node content, but found"),
    "not UTF-8": (text(b"a: \xff"), "cannot be read as a config (is not UTF-8 text, byte 3)"),
    "a number": (text("3"), "cannot be read as a config (Invalid loaded object type: int)"),
    "a number of 5,000 digits": (text(f"a: {'9' * 5000}"), "cannot be read as a config (Exceeds the limit"),
    "a key twice": (text("a: 1\na: 2"), "cannot be read as a config (line 2: found duplicate key a)"),
    "a list as a key": (text("? [a]\n: 1"), "cannot be read as a config (line 1: found unhashable key)"),
    "a zero": (text("a\0"), "cannot be read as a config (unacceptable character #x0000"),
    "a tag": (text("a: !!python/object/apply:os.getcwd []"), "(line 1: could not determine a constructor for the tag"),
    "half an interpolation": (text("a: ${b"), "cannot be read as a config (no viable alternative at input '${b')"),
    "its own default": (text("defaults: [strange]"), "policy/strange: its defaults list leads back to itself"),
    "defaults that are a number": (text("defaults: 3"), "Invalid defaults list in 'policy/strange', defaults must be"),
    "a FIFO": (os.mkfifo, "policy=strange: no such option; expected one of"),
    "a folder": (Path.mkdir, "policy=strange: no such option; expected one of"),
    "a link to nowhere": (lambda file: file.symlink_to("nowhere"), "policy=strange: no such option; expected one of"),
}
HARMLESS: dict[str, Callable[[Path], object]] = {
    "a list": text("[1, 2]"),
    "empty": text(""),
    "an alias": text("a: &a [1]\nb: *a"),
    "numbers as keys": text("1: 2\nnull: 3\n"),
}
TOO_LARGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "50,000 levels": (text("a: " + "[" * 50_000), "more than 64 levels within each other"),
    "aliases of aliases": (
        text("a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))),
        "its aliases stand for more than 100,000 values",
    ),
    "a sparse gigabyte": (lambda file: (file.touch(), os.truncate(file, 2**30)), "is larger than 1,048,576 bytes"),
}


@pytest.fixture
def directories(tmp_path) -> list[Path]:
    (tmp_path / "mine" / "policy").mkdir(parents=True)
    return [CONF, tmp_path / "mine"]


def explained(directories: list[Path], *overrides: str) -> str | None:
    """What a command says of the error that these overrides end in."""
    OptionFiles(directories).check_own()
    with pytest.raises(Exception) as caught, composing(directories) as compose:  # noqa: PT011  (whatever Hydra raises)
        compose(overrides)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return explain(caught.value, parsed, Hints(directories, "config", parsed))


@pytest.mark.parametrize("kind", [*DAMAGE, *HARMLESS])
def test_a_hint_skips_what_cannot_be_read(directories, kind):
    put = DAMAGE[kind][0] if kind in DAMAGE else HARMLESS[kind]
    put(directories[1] / "policy" / "strange.yaml")
    assert explained(directories, "policy.hiden=3") == "policy.hiden: no such key; did you mean policy.hidden?"
    files = OptionFiles(directories)
    assert "policy.hidden" in files.all_keys()
    assert files.describe("policy", "strange") == ""


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_cannot_be_read_is_named_with_the_reason_once_it_is_chosen(directories, kind):
    put, reason = DAMAGE[kind]
    file = directories[1] / "policy" / "strange.yaml"
    put(file)
    told = explained(directories, "policy=strange")
    assert told is not None
    assert told.isprintable()
    assert reason in told
    if "cannot be read" in reason:
        assert told.startswith(f"{file}: ")


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_what_would_exhaust_the_memory_is_refused_before_hydra_reads_it(directories, kind):
    put, reason = TOO_LARGE[kind]
    file = directories[1] / "policy" / "strange.yaml"
    put(file)
    with pytest.raises(FileError) as caught:
        OptionFiles(directories).check_own()
    assert str(caught.value).startswith(f"{file}: {reason}")


@pytest.mark.parametrize("put", [lambda path: None, Path.touch, os.mkfifo], ids=["nothing", "a file", "a FIFO"])
def test_a_config_directory_that_is_none_is_said_with_the_nearest(tmp_path, directories, put):
    put(tmp_path / "mines")
    with pytest.raises(UserError, match=r"--config-dir=.*mines: not found; .*; did you mean .*mine\?"):
        OptionFiles([CONF, tmp_path / "mines"]).check_own()


def test_a_file_with_the_name_of_the_projects_own_is_refused_as_hydra_would_not_read_it(directories):
    (file := directories[1] / "policy" / "mlp.yaml").write_text("# Mine.\nname: mlp\nhidden: 8\n")
    files = OptionFiles(directories)
    with pytest.raises(UserError, match=rf"{file}: policy=mlp is already {CONF}.*; expected another file name"):
        files.check_own()
    assert files.describe("policy", "mlp") != "Mine."
    with composing(directories) as compose:
        assert compose([]).policy.hidden == files.values("policy", "mlp")["hidden"]
    OptionFiles([CONF, CONF]).check_own()


def test_help_shows_options_of_any_name_and_leaves_out_what_it_cannot_read(directories):
    folder = directories[1] / "policy"
    for damage, _ in DAMAGE.values():
        damage(folder / f"strange_{len(list(folder.iterdir()))}.yaml")
    (folder / os.fsdecode(b"\xff\x1b[31m.yaml")).write_text("# One \x07 of mine.\nhidden: 3\n")
    shown = help_text(directories, [])
    assert "�[31m" in shown
    assert "One � of mine." in shown
    assert shown.replace("\n", "").isprintable()
