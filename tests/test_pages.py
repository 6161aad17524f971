"""The pages: the site builds without a broken link, and the files and tests that pages name exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from pg_experiments.run.config import every_key
from tests.conftest import REPOSITORY
from tests.pages import PAGES, SITE, name_of

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:pg_experiments|tests|benchmarks|docs|conf|examples)/[\w/.-]+)`")
TEST = re.compile(r"`(test_\w+)`")


def test_the_site_builds_without_a_broken_link_and_has_every_page_and_every_key(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "site").rglob("*.html"))) >= len(SITE)
    assert not list((tmp_path / "site").rglob("*.py"))
    on_page = (tmp_path / "site" / "reference.html").read_text()
    assert [key for key in every_key() if "." in key and f"<code>{key}</code>" not in on_page] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in SITE], ids=name_of)
def test_links_of_pages_outside_of_the_site_lead_to_files(page):
    links = [link for link in LINK.findall(page.read_text()) if not link.startswith(("http://", "https://", "#"))]
    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_tests_that_a_page_names_exist(page):
    text = page.read_text()
    paths = [path for path in PATH.findall(text) if "NAME" not in path]
    assert not [path for path in paths if not (REPOSITORY / path).exists()]
    named = set(TEST.findall(text))
    if named:
        tests = "\n".join(file.read_text() for file in (REPOSITORY / "tests").rglob("test_*.py"))
        assert not [name for name in named if f"def {name}(" not in tests]
