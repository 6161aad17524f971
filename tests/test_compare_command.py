"""`python -m pg_experiments.compare` as people run it: on a real sweep, on a stranger's, and with mistakes."""

from __future__ import annotations

import csv
import html
import json
import re
import shlex
from pathlib import Path
from unittest.mock import patch
from urllib.parse import unquote

import pytest

from benchmarks.run_directories import Curve, write_run
from pg_experiments.run.run import Run
from tests.conftest import a_process
from tests.in_process import Ended, run_command

FILES = {"report.html", "comparison.md", "comparison.csv", "comparison_pairs.csv"}
FILES |= {"curves.png", "performance_profile.png", "to_threshold.png"}


def some_seeds(count: int) -> dict[int, Curve]:
    return {seed: [{"env_steps": 9, "episodes": 2, "mean_return": 5.0 + seed}] for seed in range(count)}


def compare(*arguments: str) -> Ended:
    return run_command("compare", *arguments)


def broken(*_: object) -> None:
    raise ZeroDivisionError("the pole fell off")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """Two widths by two baselines, four seeds each, really trained; and a run that an error ended."""
    folder = tmp_path_factory.mktemp("real") / "sweep"
    arguments = ["policy.hidden=4,8", "baseline=none,value", "num_seeds=4", "env.max_episodes=10", "env.threshold=15"]
    assert run_command("train", "-m", *arguments, "env.window=2", f"hydra.sweep.dir={folder}").code == 0
    with patch.object(Run, "learn", broken):
        ended = run_command("train", "optimizer=sgd", "env.max_episodes=10", f"hydra.run.dir={folder}/4_broken")
    assert ended.code == 1
    return folder


@pytest.fixture(scope="module")
def said(sweep) -> str:
    done = compare(f"sweep={sweep}")
    assert (done.code, done.err) == (0, "")
    return done.out


def test_a_sweep_ends_in_a_table_and_in_what_it_supports(said, sweep):
    assert said.startswith("policy.hidden × baseline on CartPole-v1\n• ")
    assert "policy.hidden, averaged over baseline\n" in said
    assert "baseline, averaged over policy.hidden\n" in said
    assert "hidden=4" in said
    assert "baseline=value" in said
    assert "learning_rate" not in said, "what does not differ is not in the table"
    assert "Alike in all: " in said
    assert "Not counted, 1:" in said
    assert f"{sweep / '4_broken'}: failed: ZeroDivisionError: the pole fell off" in said


def test_the_files_lie_in_the_sweep_and_are_whole(said, sweep):
    assert {path.name for path in sweep.iterdir() if path.is_file()} == FILES | {"multirun.yaml"}
    for name in FILES:
        content = (sweep / name).read_bytes()
        assert content.startswith(b"\x89PNG") == name.endswith(".png")


def test_the_csv_has_each_key_that_differs_and_plain_numbers(said, sweep):
    with (sweep / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy.hidden"], row["baseline"]) for row in rows] == [
        ("4", "none"),
        ("4", "value"),
        ("8", "none"),
        ("8", "value"),
    ]
    for row in rows:
        assert int(row["seeds"]) == 4
        low, value, high = (float(row[f"final_mean_return{end}"]) for end in ("_low", "", "_high"))
        assert low <= value <= high
        assert 0 <= float(row["solved"]) <= 1
    assert rows[0]["verdict"] == "reference"
    finals = [
        seed["final_return"]
        for seed in json.loads((sweep / "0_baseline=none,policy.hidden=4" / "result.json").read_text())["seeds"]
    ]
    assert float(rows[0]["final_mean_return"]) == pytest.approx(sum(sorted(finals)[1:3]) / 2, rel=1e-5)


def test_the_page_needs_nothing_but_itself_and_its_links_lead_somewhere(said, sweep):
    page = (sweep / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|\./)', page)
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    assert page.count("data:image/png;base64,") == 3
    assert '<meta name="viewport"' in page
    links = [unquote(html.unescape(link)) for link in re.findall(r'href="([^"]+)"', page)]
    assert len(links) >= 5 * 4
    for link in links:
        assert (sweep / link).exists(), link
    assert "python -m pg_experiments.train -m policy.hidden=4,8 baseline=none,value num_seeds=4" in page
    assert "hydra.mode" not in page
    assert "exclude_keys" not in page
    assert "ZeroDivisionError" in page


def test_the_command_in_the_report_makes_the_sweep_again(said, sweep, tmp_path):
    page = (sweep / "report.html").read_text()
    command = html.unescape(re.search(r"<pre>python -m pg_experiments.train (.*?)</pre>", page, re.DOTALL).group(1))
    command = command.replace(str(sweep), str(tmp_path / "again")).replace("env.max_episodes=10", "env.max_episodes=2")
    assert run_command("train", *shlex.split(command)).code == 0
    again = {path.parent.name for path in (tmp_path / "again").glob("*/result.json")}
    assert again == {path.parent.name for path in sweep.glob("*/result.json")} - {"4_broken"}


def test_the_same_runs_always_make_the_same_files(said, sweep):
    before = {name: (sweep / name).read_bytes() for name in FILES}
    assert a_process("-m", "pg_experiments.compare", f"sweep={sweep}") == (0, said, "")
    assert before == {name: (sweep / name).read_bytes() for name in FILES}


def test_runs_are_named_one_by_one_though_their_names_have_commas_and_equals_signs(sweep):
    runs = [sweep / "0_baseline=none,policy.hidden=4", sweep / "1_baseline=value,policy.hidden=4"]
    done = compare(
        f"sweep={runs[0]},{runs[1]}", "threshold=12", "metric=mean_return,entropy", "reference=baseline=value"
    )
    assert done.code == 0, done.err
    assert "final entropy" in done.out
    assert done.out.startswith("baseline on CartPole-v1\n"), "the width does not differ between these"
    assert {path.name for path in runs[0].iterdir()} >= FILES
    page = (runs[0] / "report.html").read_text()
    assert "../1_baseline%3Dvalue%2Cpolicy.hidden%3D4/" in page
    for run in runs:
        for name in FILES:
            (run / name).unlink(missing_ok=True)


def test_seeds_that_failed_count_and_are_listed_with_what_went_wrong(tmp_path):
    """Three real learners that all break, beside three that do not."""
    for name, *overrides in (("0_slow",), ("1_fast", "optimizer.max_grad_norm=null", "optimizer.learning_rate=1e30")):
        arguments = [*overrides, "num_seeds=3", "env.max_episodes=10", f"hydra.run.dir={tmp_path}/{name}"]
        assert run_command("train", *arguments).code == bool(overrides)
    done = compare(f"sweep={tmp_path}")
    assert done.code == 0, done.err
    assert "Failed, and counted with the last value, 3:" in done.out
    assert "Not counted" not in done.out
    for seed in range(3):
        why = f"seed {seed} stopped at update 1: policy_loss is not finite; a lower optimizer.learning_rate (1e+30)"
        for text in (done.out, html.unescape((tmp_path / "report.html").read_text())):
            assert why in text
    assert "Seeds failed: 3 of 3 of max_grad_norm=null, learning_rate=1e+30." in done.out
    with (tmp_path / "comparison.csv").open() as file:
        assert [(row["seeds"], row["failed"], row["solved"]) for row in csv.DictReader(file)] == [
            ("3", "0", "0"),
            ("3", "3", "0"),
        ]


def test_what_a_stranger_wrote_is_shown_as_text(tmp_path):
    evil = "<script>alert(1)</script>"
    for number, width in enumerate((8, 16)):
        run = write_run(
            tmp_path / f"{number}",
            [f"policy.hidden={width}"],
            some_seeds(4),
        )
        config = (run / ".hydra" / "config.yaml").read_text()
        (run / ".hydra" / "config.yaml").write_text(f"{config}\nnote: '{evil}$\\frac{{ {number} | `x` [y](z) [bold]'\n")
    error = f"{evil} | a\n# heading [red] \x1b[31m"
    write_run(
        tmp_path / f"2_{evil.replace('/', '')}",
        [],
        {0: [{"env_steps": 9, "episodes": 2}]},
        status="failed",
        error=error,
    )
    task = [f"+note={evil}", "a=```b"]
    hydra = {"overrides": {"task": task, "hydra": []}, "runtime": {"config_sources": []}}
    (tmp_path / "multirun.yaml").write_text(json.dumps({"hydra": hydra}))
    done = compare(f"sweep={tmp_path}")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "[bold]" in done.out
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert html.escape(evil) in page
    assert html.escape(f"'+note={evil}'") in page.replace("&#39;", "&#x27;")
    outside, fenced, *_ = re.split(r"````\n", (tmp_path / "comparison.md").read_text())
    assert "<script" not in outside
    assert "&lt;script&gt;" in outside
    assert "+note=<script>" in fenced, "a fence of four holds three"
    (row,) = [line for line in outside.splitlines() if "alert" in line and "failed" in line]
    assert row.count(" | ") == 1, "a bar is no new column"


MISTAKES = [
    ((), "sweep: missing; expected a directory"),
    (("sweep=nowhere",), "sweep=nowhere: no such directory"),
    (("sweep=swep",), "sweep=swep: no such directory; did you mean sweep?"),
    (("sweep=",), "no such directory"),
    (("sweep=empty",), "sweep=empty: holds no run"),
    (("sweep=sweep,nowhere",), "sweep=nowhere: no such directory"),
    (("sweep=sweep", "metrik=x"), "metrik: no such key; did you mean metric?"),
    (("sweep=sweep", "metric=mean_retrun"), "metric=mean_retrun: no such column; "),
    (("sweep=sweep", "threshold=high"), "threshold=high: expected a number or null"),
    (("sweep=sweep", "threshold=nan"), "threshold=nan: expected a number"),
    (("sweep=sweep", "by=policy.hiden"), "by=policy.hiden: no run has this key; the nearest are policy.hidden"),
    (
        ("sweep=sweep", "reference=baseline=men"),
        "reference=baseline=men: no group has these settings; expected such as",
    ),
    (("sweep",), "sweep: expected key=value, as sweep=sweep"),
    (("sweep=failed",), "sweep=failed: 1 run, and none counts"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("folders")
    (folder / "empty").mkdir()
    write_run(folder / "sweep" / "0", [], some_seeds(1))
    write_run(folder / "failed" / "0", [], {}, status="failed", error="ValueError: why")
    return folder


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES)
def test_a_mistake_is_answered_in_one_line(folders, monkeypatch, arguments, expected):
    monkeypatch.chdir(folders)
    done = compare(*arguments)
    assert expected in done.error
    assert len(done.err.splitlines()) == 1
    if "failed" in arguments[-1:]:
        assert "ValueError: why" in done.out


@pytest.mark.parametrize("arguments", [("sweep=sweep", "metrik=x"), ("sweep=failed",)], ids=" ".join)
def test_a_mistake_is_answered_in_the_same_way_by_a_process(folders, monkeypatch, arguments):
    """One is noticed before anything heavy is imported, one after it."""
    monkeypatch.chdir(folders)
    done = a_process("-m", "pg_experiments.compare", *arguments, cwd=folders)
    assert done == compare(*arguments)
    assert done.error


def test_help_and_mistakes_come_before_anything_heavy_is_imported():
    script = (
        "import sys; from pg_experiments.compare import __main__ as compare;"
        "sys.argv = ['compare', '--help']; compare.main();"
        "compare.parse(['sweep=pg_experiments']);"
        "heavy = {'torch', 'hydra', 'matplotlib', 'scipy', 'numpy', 'jinja2', 'rich'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = a_process("-c", script)
    assert done.code == 0, done.err
    for key in ("sweep=", "by=", "metric=", "threshold=", "reference="):
        assert key in done.out


@pytest.mark.parametrize("groups", [1, 12])
def test_on_a_phone_the_page_is_as_wide_as_the_screen_and_no_table_needs_scrolling(chromium, tmp_path, groups):
    for width in range(1, groups + 1):
        name = f"{width}_{'x' * 90}"
        write_run(tmp_path / name, [f"policy.hidden={width}", "optimizer.learning_rate=0.0123456789"], some_seeds(4))
    assert compare(f"sweep={tmp_path}").code == 0
    phone = chromium.new_page(viewport={"width": 375, "height": 800})
    phone.goto((tmp_path / "report.html").as_uri())
    assert phone.evaluate("document.documentElement.scrollWidth") == 375
    tables = phone.locator(".wide").evaluate_all("boxes => boxes.map(box => [box.scrollWidth, box.clientWidth])")
    assert len(tables) == 1 + (groups > 1), "the groups as cards, and the matrix"
    assert all(wide <= room for wide, room in tables)
    phone.close()
