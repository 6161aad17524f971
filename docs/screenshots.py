"""Pictures of TensorBoard and of a sweep's report, as a browser shows them.

    python -m pg_experiments.train -m policy.hidden=16,64,256 num_seeds=16 hydra.sweep.dir=multirun/widths
    python -m docs.remake comparing
    python -m docs.screenshots multirun/widths multirun/comparing

The last writes `docs/tensorboard.png`, the first sweep's curves of `charts/mean_return`, and `docs/report.png`, the
first screens of the other sweep's `report.html`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from docs.browser import MEANS, chromium, open_tab, tensorboard, wait_for_curves

DOCS = Path(__file__).parent
SHARPNESS = 1.5  # pixels of the picture for each of the page
# Of TensorBoard. With "ignore outliers", as it is by itself, the best curve is cut off at its top.
SETTINGS = {"sideBarWidthInPercent": 21, "timeSeriesSettingsPaneOpened": False, "ignoreOutliers": False}


def picture_tensorboard(browser: Browser, sweep: Path, picture: Path) -> None:
    """The Time Series page with the one chart, as wide as the page."""
    page = browser.new_page(viewport={"width": 1280, "height": 700}, device_scale_factor=SHARPNESS)
    page.add_init_script(f"localStorage.setItem('_tb_global_settings', {json.dumps(json.dumps(SETTINGS))})")
    with tensorboard(sweep) as address:
        open_tab(page, address, "timeseries", tagFilter="^charts/mean_return$", smoothing="0", **MEANS)
        page.get_by_role("button", name="Toggle full size mode").click()
        wait_for_curves(page.locator("scalar-card"))
        page.screenshot(path=picture, animations="disabled")
    _in_few_colours(picture)
    page.close()


def picture_report(browser: Browser, sweep: Path, picture: Path) -> None:
    """The report from its top to the end of the tables, at the width of a desktop."""
    page = browser.new_page(viewport={"width": 1100, "height": 800}, device_scale_factor=SHARPNESS)
    page.goto((sweep / "report.html").resolve().as_uri())
    end = page.locator(".wide").last.evaluate("box => box.getBoundingClientRect().bottom") + 16
    clip = {"x": 0, "y": 0, "width": 1100, "height": end}
    page.screenshot(path=picture, full_page=True, clip=clip, animations="disabled")
    _in_few_colours(picture)
    page.close()


def _in_few_colours(picture: Path) -> None:
    """256 of them, which nobody sees, in a file half as large."""
    with Image.open(picture) as full:
        few = full.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def main(widths: Path, comparing: Path) -> None:
    with chromium() as browser:
        picture_tensorboard(browser, widths, DOCS / "tensorboard.png")
        picture_report(browser, comparing, DOCS / "report.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
