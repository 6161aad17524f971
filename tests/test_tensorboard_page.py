"""What a person sees of a sweep in TensorBoard: the real server's pages, in a real browser."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from docs import browser
from docs.browser import MEANS, open_tab, wait_for_curves
from tests.conftest import require_chromium

JOBS = ["0_policy.hidden=16", "1_policy.hidden=32", "2_policy.hidden=64"]
HISTOGRAMS = 4  # of 20 updates every fifth, from the first

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def sweep(chromium, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("sweep") / "hidden"
    arguments = ["policy.hidden=16,32,64", "num_seeds=6", "env.max_episodes=40", "tracking.histograms_every=5"]
    command = [sys.executable, "-m", "pg_experiments.train", "-m", *arguments, f"hydra.sweep.dir={directory}"]
    subprocess.run([*command, "device=cpu"], check=True, capture_output=True, cwd=directory.parent)
    return directory


@pytest.fixture(scope="module")
def results(sweep) -> list[dict[str, Any]]:
    return [json.loads((sweep / job / "result.json").read_text()) for job in JOBS]


@pytest.fixture(scope="module")
def address(sweep) -> Iterator[str]:
    with browser.tensorboard(sweep) as started:
        yield started


@pytest.fixture
def page(chromium, address) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1600, "height": 1000})
    yield page
    page.close()


def mean_return_card(page: Page, address: str) -> Locator:
    """The card of the one chart of `charts/mean_return`: the jobs' means over seeds, as they are."""
    open_tab(page, address, "timeseries", tagFilter="^charts/mean_return$", smoothing="0", **MEANS)
    card = page.locator("scalar-card")
    expect(rows_of(card)).to_have_count(len(JOBS))
    expect(card).to_have_count(1)
    expect(card.locator("tb-truncated-path")).to_have_attribute("title", "charts/mean_return")
    return card


def rows_of(table: Locator) -> Locator:
    """The rows of a table of runs, without its header."""
    return table.locator("tb-data-table-content-row")


def column(card: Locator, header: str) -> Locator:
    """The cells of a column of the table below a chart."""
    headers = [text.strip() for text in card.locator("tb-data-table-header-cell").all_inner_texts()]
    return rows_of(card).locator(f"tb-data-table-content-cell:nth-of-type({1 + headers.index(header)})")


def grid(table: Locator) -> list[list[str]]:
    """The rows of HParams' table, header first. What a cell shows lies outside of its row, in a slot."""
    shown = "cell => cell.firstElementChild.assignedNodes().map(node => node.innerText).join('').trim()"
    rows = table.locator("vaadin-grid tr").evaluate_all(f"rows => rows.map(row => [...row.cells].map({shown}))")
    return [row for row in rows if any(row)]


def test_the_jobs_of_a_sweep_are_listed_and_overlaid_in_one_chart_under_the_names_of_what_differs(page, address):
    card = mean_return_card(page, address)
    expect(column(card, "Run")).to_have_text(JOBS)
    expect(rows_of(page.locator("runs-data-table"))).to_have_text(JOBS)
    assert len(wait_for_curves(card)) == len(JOBS), "each in a colour of its own"


def test_as_it_opens_the_first_charts_have_the_means_alone_each_in_a_colour_of_its_own(page, address):
    open_tab(page, address, "timeseries")
    cards = page.locator("scalar-card")
    for card, name in enumerate(("episodic_length", "episodic_return", "learning_rate", "mean_return")):
        expect(cards.nth(card).locator("tb-truncated-path")).to_have_attribute("title", f"charts/{name}")
    for card in (cards.nth(0), cards.nth(3)):
        expect(column(card, "Run")).to_have_text(JOBS)
        assert len(wait_for_curves(card)) == len(JOBS)


def test_the_x_axis_is_environment_steps(page, address, results):
    card = mean_return_card(page, address)
    expect(page.get_by_role("combobox", name="Step")).to_be_visible()
    steps = [round(statistics.fmean(seed["env_steps"] for seed in result["seeds"])) for result in results]
    expect(column(card, "Step")).to_have_text([f"{step:,}" for step in steps])


def test_hparams_has_a_row_per_job_with_what_differs_in_front_and_the_final_return(page, address, results):
    open_tab(page, address, "hparams")
    table = page.locator("tf-hparams-table-view")
    for job in JOBS:
        expect(table.get_by_text(job, exact=True)).to_be_visible()
    header, *rows = grid(table)
    trial, show_metrics, differs = header[:3]
    assert (trial, show_metrics, differs) == ("Trial ID", "Show Metrics", "policy.hidden")
    assert [row[0] for row in rows] == JOBS
    assert [float(row[2]) for row in rows] == [16, 32, 64]
    returns = [float(row[header.index("final/return")]) for row in rows]
    assert returns == pytest.approx([result["objective"] for result in results], rel=1e-3)


def test_the_histograms_of_the_weights_open(page, address):
    open_tab(page, address, "histograms")
    page.get_by_role("textbox", name="Filter tags").fill("^weights/policy.network.weights.0$")
    matching = page.locator("tf-category-paginated-view").first
    charts = matching.locator("tf-histogram-loader")
    expect(charts).to_have_count(len(JOBS))
    for job, chart in zip(JOBS, charts.all(), strict=True):
        expect(chart.get_by_text(job)).to_be_visible()
        expect(chart.locator("path.outline")).to_have_count(HISTOGRAMS)


def test_without_chromium_these_tests_are_skipped_with_what_to_install_and_fail_where_it_has_to_be(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("PG_NEEDS_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        require_chromium()
    monkeypatch.setenv("PG_NEEDS_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        require_chromium()
