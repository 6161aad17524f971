"""The numbers of the pages are those of their raw data, and are remade by one command."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import pytest

from benchmarks.common import write_speeds
from benchmarks.ladder.__main__ import DOCS, measured_page
from docs.remake import ARTEFACTS, every_value
from docs.remake.__main__ import main
from docs.remake.marked import MARKED, numbers, pages, written
from tests.pages import commands, name_of


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    return every_value()


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_page_shows_the_numbers_of_its_raw_data(page, values):
    shown = dict(numbers(page))
    assert shown == {name: values[name] for name in shown}, "python -m docs.remake writes them"


def test_every_value_is_shown_on_a_page(values):
    assert set(values) == {name for page in pages() for name, _ in numbers(page)}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_mark_at_the_start_of_a_line_is_alone_on_it(page):
    """Elsewhere Markdown would take the rest of the line for HTML."""
    assert not re.search(r"^ *<!-- (number: \S+|end) -->.", page.read_text(), re.MULTILINE)
    assert page.read_text().count("<!-- number: ") == len(MARKED.findall(page.read_text()))


def test_numbers_and_tables_are_written_between_their_marks_and_nothing_else_is():
    text = "a <!-- number: n -->1<!-- end --> b\n\n<!-- number: t -->\n\n| old |\n\n<!-- end -->\n"
    again = written(text, {"n": "2", "t": "| new |"})
    assert again == text.replace("1", "2").replace("old", "new")
    with pytest.raises(KeyError):
        written(text, {"n": "2"})


def test_the_page_of_the_ladder_is_that_of_its_measurements():
    """Its machine is the one that it names, on which the measurements were made."""
    text = (DOCS / "ladder.md").read_text()
    found = re.search(r"(\S+, \d+\s+cores,\s+Python\s+[\d.]+), the\s+seconds", text)
    assert found
    assert text == measured_page(" ".join(found[1].split()))


def test_each_measurement_has_commands_that_exist(capsys):
    main(["--list"])
    listed = capsys.readouterr().out
    for artefact in ARTEFACTS.values():
        for line in artefact.commands:
            ((python, dash_m, module, *_),) = commands(line)
            assert (python, dash_m) == ("python", "-m")
            assert find_spec(module)
            assert line in listed


def test_an_unknown_name_is_answered_with_those_that_there_are():
    with pytest.raises(SystemExit, match="lader: no such name; expected normalization, pong"):
        main(["lader"])


def test_a_benchmark_writes_what_the_pages_read(tmp_path):
    rounds = [{"fast": 30.0, "slow": 10.0, "useful": 1.0}, {"fast": 50.0, "slow": 20.0, "useful": 0.5}]
    write_speeds(str(tmp_path / "speed.json"), rounds, {"fast": 2.75}, useful=0.75)
    found = json.loads((tmp_path / "speed.json").read_text())
    assert found["sides"] == {
        "fast": {"steps_per_second": 40.0, "ratio": 2.75},
        "slow": {"steps_per_second": 15.0, "ratio": None},
    }
    assert (found["useful"], found["rounds"]) == (0.75, rounds)
    for file in (DOCS / "results" / "speed").glob("*.json"):
        assert set(found) - set(json.loads(file.read_text())) <= {"rounds", "useful"}
