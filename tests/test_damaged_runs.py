"""One run of a sweep that is damaged, in any way, is listed with the reason, and the others are compared."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import yaml

from benchmarks.run_directories import write_run
from pg_experiments.compare import __main__ as compare
from pg_experiments.comparison.as_csv import groups_csv
from pg_experiments.comparison.excluded import not_counted
from pg_experiments.support.errors import UserError
from tests.comparisons import compared, curve, level

Damage = Callable[[Path], object]


def text(name: str, content: str | bytes) -> Damage:
    """Replace a file."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda run: (run / name).write_bytes(raw)


def result(**changes: Any) -> Damage:
    """Change values of `result.json`."""

    def change(run: Path) -> None:
        file = run / "result.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def of_seed(**changes: Any) -> Damage:
    """Change values of the first seed in `result.json`."""

    def change(run: Path) -> None:
        values = json.loads((run / "result.json").read_text())
        values["seeds"][0] |= changes
        (run / "result.json").write_text(json.dumps(values))

    return change


def cell(column: str, value: str, row: int = 1) -> Damage:
    """Change a cell of `metrics.csv`."""

    def change(run: Path) -> None:
        rows = list(csv.reader((run / "metrics.csv").open(newline="")))
        rows[row][rows[0].index(column)] = value
        with (run / "metrics.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    return change


def instead(name: str, put: Callable[[Path], object]) -> Damage:
    """Put something else in the place of a file."""

    def change(run: Path) -> None:
        (run / name).unlink()
        put(run / name)

    return change


LARGE = "9" * 400
DAMAGE: dict[str, tuple[Damage, str]] = {
    "an empty metrics.csv": (text("metrics.csv", ""), "metrics.csv: is empty"),
    "a field of 200,000 characters": (cell("entropy", "x" * 200_000), "metrics.csv: line 2 is longer than"),
    "a field over several lines": (cell("entropy", "x\n" * 100_000), "field larger than field limit"),
    "a metric that is Infinity": (
        cell("mean_return", "Infinity"),
        "row 2: mean_return=Infinity is not a finite",
    ),
    "a metric that is NaN": (cell("mean_return", "NaN"), "mean_return=NaN is not a finite number"),
    "a metric of 1e400": (cell("mean_return", "1e400"), "mean_return=1e400 is not a finite number"),
    "a metric of 400 digits": (cell("mean_return", LARGE), "mean_return=999"),
    "a metric that is a text": (cell("mean_return", "=1+1"), "row 2: could not convert string to float"),
    "steps that are Infinity": (cell("env_steps", "Infinity"), "env_steps=Infinity: expected a whole number"),
    "steps that are NaN": (cell("env_steps", "nan"), "env_steps=nan: expected a whole number"),
    "steps of 400 digits": (cell("env_steps", LARGE), "expected a whole number"),
    "steps above 2^53": (cell("env_steps", str(2**53 + 1)), "expected at most 9007199254740992"),
    "steps that fall": (cell("env_steps", "1", row=2), "env_steps=1 of seed 0: was 100 before, and cannot fall"),
    "negative episodes": (cell("episodes", "-3"), "episodes=-3: expected a whole number at least 0"),
    "a seed with an underscore": (cell("seed", "1_0"), "seed=1_0: expected a whole number"),
    "a row that is cut off": (lambda run: os.truncate(run / "metrics.csv", 200), "cells, the header 15"),
    "a header alone without seeds": (text("metrics.csv", "a,b\r\n"), "it has no column seed"),
    "a header without the metric": (text("metrics.csv", "seed,env_steps,episodes\r\n"), "metric=mean_return: no such"),
    "metrics that are not UTF-8": (text("metrics.csv", b"seed,\xff\n"), "line 1 is not UTF-8 text"),
    "metrics with a zero": (cell("mean_return", "\0"), "row 2: could not convert string to float"),
    "metrics that are a folder": (instead("metrics.csv", Path.mkdir), "metrics.csv: is a folder; expected a regular"),
    "metrics that are a FIFO": (instead("metrics.csv", os.mkfifo), "metrics.csv: is a FIFO"),
    "metrics that are a link": (instead("metrics.csv", lambda p: p.symlink_to("/dev/zero")), "metrics.csv: is a link"),
    "sparse metrics": (lambda run: os.truncate(run / "metrics.csv", 2**40), "is larger than 1,024 MiB"),
    "zeros after the metrics": (lambda run: os.truncate(run / "metrics.csv", 2**24), "is longer than 65,536 bytes"),
    "a result of Infinity": (result(wall_time_s=float("inf")), "result.json: is damaged (Infinity is not a finite"),
    "a result of NaN": (result(objective=float("nan")), "NaN is not a finite number"),
    "a result of 1e400": (text("result.json", '{"status": "done", "wall_time_s": 1e400}'), "1e400 is not a finite"),
    "a result of 400 digits": (result(env_steps=int(LARGE)), "a whole number of 400 digits"),
    "a result of 5,000 digits": (
        text("result.json", f'{{"status": "done", "env_steps": {"9" * 5000}}}'),
        "a whole number of 5000 digits",
    ),
    "a result nested 100,000 levels": (text("result.json", "[" * 100_000), "result.json: is damaged"),
    "a result that is null": (text("result.json", "null"), "result.json: expected a group of keys"),
    "a result that is a text": (text("result.json", '"done"'), "result.json: expected a group of keys"),
    "a result that is not UTF-8": (text("result.json", b'{"status": "\xff"}'), "is not UTF-8 text"),
    "a result that is a folder": (instead("result.json", Path.mkdir), "result.json: is a folder"),
    "a result that is a FIFO": (instead("result.json", os.mkfifo), "result.json: is a FIFO"),
    "a result that is a link": (
        instead("result.json", lambda p: p.symlink_to("/etc/passwd")),
        "result.json: is a link",
    ),
    "a status that is a list": (result(status=["done"]), "has an unknown status: ['done']"),
    "seeds that are a number": (result(seeds=3), "seeds=3: expected a list"),
    "seeds that are numbers": (result(seeds=[3]), "seeds=[3]: expected a list"),
    "no seeds": (result(seeds=[]), "has no seeds"),
    "failed, and seeds are numbers": (result(status="failed", seeds=[1]), "failed: None"),
    "a wall time that is a text": (result(wall_time_s="1"), "wall_time_s=1: expected a number at least 0"),
    "a negative wall time": (result(wall_time_s=-1), "wall_time_s=-1: expected a number at least 0"),
    "an endless wall time": (result(wall_time_s=1e300), "wall_time_s=1e+300: expected a number"),
    "steps that are true": (result(env_steps=True), "env_steps=true: expected a whole number"),
    "a seed that is a text": (of_seed(seed="0"), "seeds.0.seed=0: expected a whole number at least 0"),
    "a seed that is a half": (of_seed(seed=0.5), "seeds.0.seed=0.5: expected a whole number"),
    "a seed that is there twice": (of_seed(seed=1), "seeds.1.seed=1: is there twice"),
    "solved that is a number": (of_seed(solved=1), "seeds.0.solved=1: expected true or false"),
    "episodes that are a text": (of_seed(episodes_to_solve="many"), "episodes_to_solve=many: expected a whole number"),
    "an error that is a list": (of_seed(error=["\ud800"]), "seeds.0.error=['\\ud800']: expected a text"),
    "a config that is empty": (text(".hydra/config.yaml", ""), "config.yaml: expected a group of keys"),
    "a config that is a list": (text(".hydra/config.yaml", "[1]"), "config.yaml: expected a group of keys"),
    "a config that is broken": (text(".hydra/config.yaml", "a: ["), "config.yaml: is no plain YAML"),
    "a config that is not UTF-8": (text(".hydra/config.yaml", b"a: \xff"), "config.yaml: is not UTF-8 text"),
    "a config of 50,000 levels": (text(".hydra/config.yaml", "[" * 50_000), "config.yaml: is no plain YAML"),
    "a config with an alias": (text(".hydra/config.yaml", "a: &a [1]\nb: *a"), "an alias"),
    "a config within itself": (text(".hydra/config.yaml", "&a\nb: *a"), "an alias"),
    "a config with a long value": (
        text(".hydra/config.yaml", f"a: {'x' * 2000}"),
        "expected at most 1000 keys, and 1000 characters",
    ),
    "a config with many keys": (
        text(".hydra/config.yaml", "".join(f"k{i}: 1\n" for i in range(2000))),
        "at most 1000 keys",
    ),
    "a config of 5,000 digits": (text(".hydra/config.yaml", f"a: {'9' * 5000}"), "config.yaml: is no plain YAML"),
    "a config that is a FIFO": (instead(".hydra/config.yaml", os.mkfifo), "config.yaml: is a FIFO"),
    "overrides that are a number": (text(".hydra/overrides.yaml", "3"), "overrides.yaml: expected a list"),
    "overrides that are a group": (text(".hydra/overrides.yaml", "a: 1"), "overrides.yaml: expected a list"),
}
HARMLESS: dict[str, Damage] = {
    "no overrides": lambda run: (run / ".hydra" / "overrides.yaml").unlink(),
    "choices of strange shapes": text(".hydra/hydra.yaml", '{hydra: {runtime: {choices: [1, "\\e[31m"]}}}'),
    "choices that are nothing": text(".hydra/hydra.yaml", "hydra:"),
    "choices that are unreadable": instead(".hydra/hydra.yaml", os.mkfifo),
    "further keys": result(later={"a": [1]}),
    "a column that is not compared": cell("policy_loss", "Infinity"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> tuple[Path, str, dict[str, str]]:
    """A sweep of damaged runs and two good ones: its directory, its report, and why runs do not count."""
    sweep = tmp_path_factory.mktemp("damaged") / "sweep"
    write_run(sweep / "0", [], level(50))
    for number, damage in enumerate(
        [lambda run: None, *HARMLESS.values(), *(damage for damage, _ in DAMAGE.values())], 1
    ):
        run = shutil.copytree(sweep / "0", sweep / f"{number}")
        config = (run / ".hydra" / "config.yaml").read_text()
        (run / ".hydra" / "config.yaml").write_text(config.replace("hidden: 128", f"hidden: {number}"))
        damage(run)
    summary = compared(sweep)
    reasons = {run.path.name: why for run, why in not_counted(summary.grouping, summary.outcomes)}
    compare.compare(compare.Arguments([str(sweep)]))
    return sweep, (sweep / "comparison.md").read_text(), reasons


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_run_is_listed_with_the_reason(said, kind):
    reason = said[2][str(2 + len(HARMLESS) + list(DAMAGE).index(kind))]
    assert DAMAGE[kind][1] in reason
    assert reason.isprintable()
    assert len(reason) < 1000


def test_the_others_are_compared_and_what_is_of_no_interest_may_be_damaged(said):
    sweep, markdown, reasons = said
    assert len(reasons) == len(DAMAGE)
    rows = list(csv.DictReader((sweep / "comparison.csv").open()))
    assert [row["policy.hidden"] for row in rows] == ["128", *map(str, range(1, 2 + len(HARMLESS)))]
    for name in reasons:
        assert re.search(rf"^\| {name} \| ", markdown, re.MULTILINE)


def test_seeds_that_a_float_takes_for_one_are_kept_apart(tmp_path):
    large = 2**53
    write_run(tmp_path / "0", [], {large: curve(10), large + 1: curve(20), large + 2: curve(60), 10**80: curve(90)})
    (row,) = compared(tmp_path).rows
    assert row.seeds == 4
    assert row.finals["mean_return"].value == pytest.approx((20 + 60) / 2)


def test_a_metric_that_no_run_has_is_a_mistake_and_one_that_a_run_lacks_is_its_problem(tmp_path):
    rows = {seed: curve(10, 50 + seed, entropy=0.5) for seed in range(5)}
    write_run(tmp_path / "0", [], rows)
    text("metrics.csv", "seed,env_steps,episodes,mean_return\r\n0,1,1,5\r\n")(write_run(tmp_path / "1", [], level(50)))
    summary = compared(tmp_path, metrics=("entropy", "mean_return"))
    assert [row.seeds for row in summary.rows] == [5]
    ((_, why),) = not_counted(summary.grouping, summary.outcomes)
    assert "metric=entropy: no such column" in why
    with pytest.raises(UserError, match=r"metric=mean_retrun: no such column; .* has mean_return, "):
        compared(tmp_path, metrics=("mean_retrun",))


@pytest.fixture
def unprivileged(tmp_path) -> Iterator[None]:
    """Reads as another user than root, who may read everything."""
    modes = {path: path.stat().st_mode for path in [tmp_path, *tmp_path.parents][:-2]}
    for path, mode in modes.items():
        path.chmod(mode | 0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield
    if is_root:
        os.seteuid(0)
    for path, mode in modes.items():
        path.chmod(mode)


CLOSED = {
    "": "cannot be read (Permission denied)",
    ".hydra": ".hydra/config.yaml: cannot be read (Permission denied)",
    "result.json": "result.json: cannot be read (Permission denied)",
    "metrics.csv": "metrics.csv: cannot be read (Permission denied)",
}


@pytest.fixture
def closed(tmp_path) -> Path:
    """A sweep of a good run and some of which a part may not be read."""
    write_run(tmp_path / "sweep" / "0", [], level(50))
    for number, name in enumerate(CLOSED, 1):
        run = shutil.copytree(tmp_path / "sweep" / "0", tmp_path / "sweep" / f"{number}")
        (run / name).chmod(0)
    return tmp_path / "sweep"


def test_a_run_that_may_not_be_read_is_listed_and_not_left_out(closed, unprivileged):
    summary = compared(closed)
    assert [row.seeds for row in summary.rows] == [5]
    reasons = {run.path.name: why for run, why in not_counted(summary.grouping, summary.outcomes)}
    assert reasons == {str(n): f"cannot be read: {why}" for n, why in enumerate(CLOSED.values(), 1)} | {
        "1": "cannot be read (Permission denied)"
    }
    with pytest.raises(UserError, match=r"^sweep=.*sweep/1: cannot be read \(Permission denied\)$"):
        compared(closed / "1")


def test_a_link_to_a_run_is_listed_and_not_followed(tmp_path):
    write_run(tmp_path / "sweep" / "0", [], level(50))
    write_run(tmp_path / "elsewhere", ["policy.hidden=3"], level(60))
    (tmp_path / "sweep" / "1").symlink_to(tmp_path / "elsewhere")
    summary = compared(tmp_path / "sweep")
    assert len(summary.rows) == 1
    ((run, why),) = not_counted(summary.grouping, summary.outcomes)
    assert (run.path.name, why) == ("1", "is a link, and none is followed; name what it leads to in sweep=")


def test_names_and_settings_of_any_bytes_are_written_and_printed(tmp_path, capfd):
    """Not UTF-8, half of a surrogate pair, terminal escapes, and characters that no font has."""
    odd = os.fsdecode(b"\xff \x1b[31m\n\xed\xa0\x80 \xf0\x9f\x98\x80")
    sweep = tmp_path / odd
    for number in range(2):
        run = write_run(sweep / f"{number}{odd}", [f"policy.hidden={number + 1}"], level(50))
        config = (run / ".hydra" / "config.yaml").read_text()
        (run / ".hydra" / "config.yaml").write_text(f'{config}\nnote: "{number} \\e[31m \\U0001F600"\n')
    shutil.copytree(sweep / f"0{odd}", sweep / f"2{odd}")
    write_run(sweep / f"3{odd}", [], level(50), status="failed", error="\ud800 \x1b[31m")
    (sweep / "multirun.yaml").write_text("hydra: {overrides: {task: ['a=\\e[31m'], hydra: []}}")
    compare.compare(compare.Arguments([str(sweep)]))
    out, err = capfd.readouterr()
    assert err == ""
    assert "failed: � �[31m" in out
    for text in (out, *((sweep / name).read_text() for name in ("report.html", "comparison.md", "comparison.csv"))):
        assert "\x1b" not in text
    (link,) = re.findall(r'href="(\./0[^"/]*)/"', (sweep / "report.html").read_text())
    assert os.fsencode(sweep / f"0{odd}").endswith(unquote_to_bytes(link)[2:])


def test_a_spreadsheet_runs_no_cell_of_the_csv(tmp_path):
    values = ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(1)", "-0.5", "+1e-3", "-inf", "plain", "1-2"]
    for number, value in enumerate(values):
        run = write_run(tmp_path / f"{number}", [], level(50))
        config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
        (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump({**config, "=key": value}))
    rows = list(csv.reader(io.StringIO(groups_csv(compared(tmp_path)))))
    assert rows[0][0] == "'=key"
    assert [row[0] for row in rows[1:]] == [f"'{v}" for v in values[:4]] + values[4:]
