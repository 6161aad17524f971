"""A comparison from Python: one object, from which the console, Markdown, CSV and HTML are made."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest

from benchmarks.run_directories import write_run
from pg_experiments import UserError
from pg_experiments.comparison import console
from pg_experiments.comparison.comparison import NothingCounts, compare_runs
from pg_experiments.comparison.report import write_report
from tests.comparisons import curve, level
from tests.conftest import REPOSITORY


@pytest.fixture
def sweep(tmp_path):
    """Two widths with two baselines, 5 seeds each."""
    for width, baseline, value in ((8, "none", 50), (8, "mean", 60), (16, "none", 400), (16, "mean", 450)):
        overrides = [f"policy.hidden={width}", f"baseline={baseline}"]
        write_run(tmp_path / f"{width}{baseline}", overrides, level(value))
    return tmp_path


def test_it_holds_rows_and_verdicts_and_settings_and_writes_nothing(sweep):
    before = sorted(sweep.iterdir())
    comparison = compare_runs([str(sweep)])
    assert sorted(sweep.iterdir()) == before
    assert [row.settings["baseline"] for row in comparison.configurations.rows] == ["mean", "none", "mean", "none"]
    assert [row.seeds for row in comparison.configurations.rows] == [5] * 4
    assert comparison.varied == {"policy.hidden": ("8", "16"), "baseline": ("mean", "none")}
    assert comparison.fixed["env.id"] == "CartPole-v1"
    assert "policy.hidden" not in comparison.fixed
    assert comparison.warnings == []
    contrast = comparison.configurations.contrast(0, 1)
    assert (contrast.probability.value, contrast.verdict) == (1.0, "weak evidence: better")


def test_a_warning_that_is_added_is_shown_everywhere(sweep, capsys):
    comparison = compare_runs([sweep])
    comparison.warnings.append("made with <different> versions")
    console.show(comparison)
    write_report(sweep, comparison)
    assert "! made with <different> versions\n" in capsys.readouterr().out
    assert "* made with &lt;different&gt; versions\n" in (sweep / "comparison.md").read_text()
    assert "<li>made with &lt;different&gt; versions</li>" in (sweep / "report.html").read_text()


def test_one_key_has_files_of_its_own_beside_those_of_the_whole_comparison(sweep):
    whole = write_report(sweep, compare_runs([sweep]))
    before = {name: (sweep / name).read_bytes() for name in whole}
    alone = write_report(sweep, compare_runs([sweep], by="policy.hidden"))
    assert before == {name: (sweep / name).read_bytes() for name in whole}
    assert [name.replace("_by_policy.hidden", "") for name in alone] == whole
    assert not set(alone) & set(whole)
    assert (
        "![curves_by_policy.hidden](curves_by_policy.hidden.png)"
        in (sweep / "comparison_by_policy.hidden.md").read_text()
    )


def test_a_strangers_key_names_no_file_elsewhere(tmp_path):
    key = "../../a b/" + "x" * 300
    for number in range(2):
        run = write_run(tmp_path / "sweep" / f"{number}", [], level(50))
        config = run / ".hydra" / "config.yaml"
        config.write_text(f"{config.read_text()}\n'{key}': {number}\n")
    names = write_report(tmp_path / "sweep", compare_runs([tmp_path / "sweep"], by=key))
    assert names[0].startswith("report_by_.._.._a_b_xxx")
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}
    assert set(names) <= {path.name for path in (tmp_path / "sweep").iterdir()}


def test_the_pairs_of_configurations_and_of_each_factor_are_rows_of_a_csv(sweep):
    comparison = compare_runs([sweep])
    write_report(sweep, comparison)
    with (sweep / "comparison_pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["compared"] for row in rows] == ["configurations"] * 6 + ["policy.hidden", "baseline"]
    width = rows[6]
    assert (width["first"], width["second"], width["measure"], width["leads"]) == ("8", "16", "final return", "yes")
    assert (width["probability_that_second_is_better"], width["verdict_on_second"]) == ("1", "better")


def test_figures_are_drawn_on_demand_and_leave_the_windows_of_a_notebook_alone(sweep):
    script = f"""
import sys
from pg_experiments.comparison.comparison import compare_runs
comparison = compare_runs([{str(sweep)!r}])
assert not {{"torch", "hydra", "matplotlib"}} & set(sys.modules)
figures = comparison.figures()
assert list(figures) == ["curves", "to_threshold", "performance_profile"]
assert all(figure.axes for figure in figures.values())
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_where_no_run_counts_the_error_has_the_reasons(tmp_path):
    write_run(tmp_path / "0", [], {0: curve(5)}, status="failed", error="OSError: full")
    with pytest.raises(NothingCounts, match="1 run, and none counts") as found:
        compare_runs([tmp_path])
    assert isinstance(found.value, UserError)
    assert [why for _, why in found.value.excluded] == ["failed: OSError: full"]
