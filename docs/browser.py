"""TensorBoard's real pages: a server on a free port of this machine, and Debian's Chromium without a window.

For the README's pictures, and for the tests of what such a page shows.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

# Of a sweep, the means over seeds alone, each in a colour of its own. A seed's own run lies in a directory below its
# mean's, and as TensorBoard's seven colours go round all runs, the means would all have the same one with six seeds.
MEANS = {"runFilter": "^[^/]*$", "runColorGroup": "regex:^([^/]*)"}


def executable() -> str:
    """Where Chromium is.

    Raises:
        FileNotFoundError: it is not installed; says how to.
    """
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("no Chromium on the PATH; on Debian: apt-get install chromium fonts-liberation")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, without a window. Playwright's own browser is not used, and not downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable())
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tensorboard(directory: Path) -> Iterator[str]:
    """The address of `tensorboard --logdir directory`, once it has read every run that is there.

    Raises:
        RuntimeError: it ended, or had not read them all after a minute; says what it printed.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(directory), "--host", "127.0.0.1"]
    server = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    try:
        said = ""
        while (address := re.search(r"TensorBoard \S+ at http://127\.0\.0\.1:(\d+)/", said)) is None:
            line = server.stdout.readline()
            if not line:
                raise RuntimeError(f"TensorBoard ended: {said}")
            said += line
        runs = {str(file.parent.relative_to(directory)) for file in directory.rglob("events.out.tfevents.*")}
        _wait_for_runs(int(address[1]), runs)
        yield f"http://127.0.0.1:{address[1]}/"
    finally:
        server.terminate()
        server.communicate()


def open_tab(page: Page, address: str, tab: str, **query: str) -> None:
    """Open one of TensorBoard's tabs, with what its address may say: runFilter, runColorGroup, tagFilter, smoothing."""
    page.goto(f"{address}?{urlencode(query)}#{tab}")


def wait_for_curves(card: Locator) -> set[str]:
    """Wait until a card's chart shows a curve in the colour of each of its runs; those colours.

    Raises:
        TimeoutError: some colour cannot be seen after half a minute.
    """
    runs = card.locator(".row-circle span")
    runs.first.wait_for()
    colours = set(runs.evaluate_all("dots => dots.map(dot => dot.style.backgroundColor)"))
    deadline = time.monotonic() + 30
    while not colours <= (drawn := _colours_in(card.locator("line-chart .series-view").screenshot())):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no curve is {' or '.join(colours - drawn)}")
    return colours


def _colours_in(picture: bytes) -> set[str]:
    """As CSS writes them, of at least 50 pixels each."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    found = image.getcolors(maxcolors=image.width * image.height) or []
    return {f"rgb{colour}" for count, colour in found if count >= 50}


def _wait_for_runs(port: int, expected: set[str]) -> None:
    # a page that is opened earlier shows what was there, and asks again only when it is told to
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/data/runs")
        found = set(json.load(connection.getresponse()))
        connection.close()
        if expected <= found:
            return
        time.sleep(0.05)
    raise RuntimeError(f"TensorBoard has not read {sorted(expected - found)}")
