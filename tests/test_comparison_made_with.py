"""A comparison warns in one line where its runs were made with different versions or on different machines."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pg_experiments.comparison.made_with import differing, made_with
from tests.conftest import REPOSITORY
from tests.saved_runs import save_run

OLD, NEW = {"from_update": 0, "torch": "1", "threads": 2}, {"from_update": 9, "torch": "2", "threads": 2}


def of(*histories: object) -> list[str]:
    return differing([made_with({"made_with": history}) for history in histories])


def test_runs_that_were_made_with_the_same_give_no_warning():
    assert of([OLD], [OLD]) == []
    assert of([OLD], [{**OLD, "from_update": 3}]) == [], "where a part begins is no difference"
    assert differing([made_with({}), made_with({})]) == [], "of version 0.1, none of which tells"


def test_what_differs_is_told_in_one_line_with_how_many_runs():
    assert of([OLD], [NEW], [NEW]) == ["Runs were made with different torch: 2 (2 of 3 runs), 1 (1 of 3 runs)."]
    assert of([OLD], [OLD, NEW]) == [
        "Runs were made with different torch: 1 (1 of 2 runs), 1, then 2 (1 of 2 runs)."
    ], "a resumed run that changed"
    (line,) = of([OLD], None)
    assert "torch: 1 (1 of 2 runs), unknown (1 of 2 runs); threads: 2" in line
    many = of(*([{**OLD, "torch": str(number)}] for number in range(9)))
    assert many[0].endswith("3 (1 of 9 runs) and 5 more.")


@pytest.mark.parametrize("strange", ["text", [3], {}, [{"torch": ["\x1b[31m"] * 999}], [{"\n" * 500: "9" * 5000}]])
def test_a_record_of_a_stranger_is_one_short_printable_line(strange):
    for line in of([OLD], strange):
        assert line.isprintable()
        assert len(line) < 1000


def test_the_comparison_of_real_runs_has_the_warning_in_its_report(tmp_path):
    for seed in (1, 2):
        save_run(tmp_path / "sweep" / str(seed), "env.max_episodes=4", "policy.hidden=4", f"seed={seed}")

    def report() -> str:
        command = [sys.executable, "-m", "pg_experiments.compare", f"sweep={tmp_path / 'sweep'}"]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        return (tmp_path / "sweep" / "comparison.md").read_text()

    assert "made with different" not in report()
    file = tmp_path / "sweep" / "2" / "result.json"
    result = json.loads(file.read_text())
    result["made_with"][0]["numba"] = "0.1"
    file.write_text(json.dumps(result))
    assert "made with different numba: " in report()
